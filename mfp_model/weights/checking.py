"""Whether a file of weights can serve, told without loading torch."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from mfp_model.errors import CheckpointError
from mfp_model.files import parsed_json
from mfp_model.weights.stored import widened_tensors

LARGEST_INPUT_PX = 4096


def check_weights(path: Path) -> str:
    """Return the version of a checkpoint whose every value is finite and whose size is sane.

    Raises:
        CheckpointError: The file is missing or damaged, a value is not finite, or the network's
            input would be absurdly large.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            version = str(metadata["version"])
            config = parsed_json(metadata["config"])
            for _ in widened_tensors(file, path):
                pass  # each is looked at
        check_input_size(config["input_size"], path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged or of another kind ({error})") from None
    return version


def check_input_size(size: object, path: Path) -> None:
    """Refuse an input size that no network of ours has.

    Raises:
        CheckpointError: It is no whole number of 1..4096 pixels.
    """
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= LARGEST_INPUT_PX:
        raise CheckpointError(
            f"checkpoint {path}: input_size={size!r:.40}, expected 1..{LARGEST_INPUT_PX} pixels"
        )
