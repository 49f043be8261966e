"""Whether tensors are those of a network, told in a line."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mfp_model.errors import CheckpointError

_SHOWN = 3


def check_tensors(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors that a network does not have, or has otherwise.

    Args:
        weights: Tensors by name.
        expected: The network's state dict.

    Raises:
        CheckpointError: A tensor is missing, left over, or of another shape.
    """
    missing = sorted(expected.keys() - weights.keys())
    extra = sorted(weights.keys() - expected.keys())
    if missing or extra:
        raise CheckpointError(f"tensors missing {_some(missing)}, left over {_some(extra)}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{name} is {list(tensor.shape)}, expected {list(expected[name].shape)}"
            )


def _some(names: list[str]) -> str:
    n_more = len(names) - _SHOWN
    return f"{names[:_SHOWN]}" + (f" and {n_more} more" if n_more > 0 else "")
