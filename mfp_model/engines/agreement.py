"""Whether an engine answers as its network does in plain PyTorch."""

from __future__ import annotations

from torch import Tensor

from mfp_model.engines import BF16_TOLERANCE, F32_TOLERANCE


def disagreement(logits: Tensor, expected: Tensor, *, is_bf16: bool) -> str | None:
    """Return how two answers differ if they do so by more than the tolerance.

    In float32 each probability counts. In bfloat16 their mean does: where a network's map is steep,
    rounding alone moves single ones by 0.07 and more.

    Args:
        logits: An engine's logits, `[B, H, W]`.
        expected: The network's logits, of the same shape.
        is_bf16: Whether the engine computes in bfloat16.
    """
    differences = (logits.sigmoid() - expected.sigmoid()).abs()
    kind, tolerance = ("mean", BF16_TOLERANCE) if is_bf16 else ("largest", F32_TOLERANCE)
    value = float(differences.mean() if is_bf16 else differences.max())
    if value <= tolerance:
        return None
    return (
        f"probabilities differ from PyTorch's: {kind} difference {value:.2g}, expected at most "
        f"{tolerance:g}"
    )
