"""Losses on logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_ALPHA = 0.5
_GAMMA = 2.0
_AUXILIARY_WEIGHT = 0.4


def total_loss(logits: Tensor, auxiliary: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Return the normalised focal loss of the logits, plus what the auxiliary heads owe.

    Args:
        logits: `[B, H, W]`.
        auxiliary: Logits `[B, H, W]` of heads that only training uses.
        truth: `[B, H, W]`, 1 object, 0 background, -1 ignored.

    Source: RITM as used by MFP: 0.4 times the binary cross-entropy of the auxiliary logits.
    """
    loss = normalised_focal_loss(logits, truth)
    target, valid = (truth > 0).float(), (truth >= 0).float()
    for other in auxiliary:
        cross_entropy = F.binary_cross_entropy_with_logits(other, target, weight=valid)
        loss = loss + _AUXILIARY_WEIGHT * cross_entropy
    return loss


def normalised_focal_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the normalised focal loss, a scalar: focal weights rescaled to add up to one each.

    The weight of a sample's easy pixels goes to its hard ones, so the loss does not fade as
    the mask gets better. No gradient flows through the weights' normaliser.

    Args:
        logits: `[B, H, W]`.
        truth: `[B, H, W]`, 1 object, 0 background, -1 ignored.

    Source: NFL of RITM as used by MFP, alpha 0.5, gamma 2.
    """
    valid = truth >= 0
    target = (truth > 0).float()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = (1 - torch.exp(-cross_entropy)) ** _GAMMA * valid
    n_valid = valid.sum(dim=(1, 2)).clamp_min(1)
    scale = (n_valid / weight.sum(dim=(1, 2)).clamp_min(1e-6)).detach()
    loss = _ALPHA * (weight * cross_entropy).sum(dim=(1, 2)) * scale / n_valid
    return loss.mean()
