"""Losses on logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mfp_model.data.automatic_clicks import depths
from mfp_model.networks.network import Outputs
from mfp_model.training.config import TrainingConfig

_ALPHA = 0.5
_GAMMA = 2.0
_AUXILIARY_WEIGHT = 0.4
_POSITIVE_WEIGHT = 5.0  # Source: the system that the U-Net comes from.
_EDGE_PX = 3.0  # how far from the edge the boundary weight has fallen to 0.6 of itself


def total_loss(
    outputs: Outputs,
    truth: Tensor,
    clicks: Tensor,
    config: TrainingConfig,
    n_outside_px: Tensor | None = None,
) -> Tensor:
    """Return the run's loss of a pass, a scalar.

    Args:
        outputs: The network's.
        truth: `[B, H, W]`, 1 object, 0 background, -1 ignored.
        clicks: Click tensor `[B, N, 3]`.
        config: Names the losses and their weights.
        n_outside_px: Pixels of the objects outside the crops, `[B]`; none by default.

    Source: RITM as used by MFP: 0.4 times the binary cross-entropy of the auxiliary logits.
    """
    logits = outputs.logits
    emphasis = torch.ones_like(logits)
    if config.boundary_weight:
        emphasis = emphasis + config.boundary_weight * nearness_to_edge(truth)
    if config.loss == "focal":
        loss = normalised_focal_loss(logits, truth, emphasis)
    else:
        loss = cross_entropy(logits, truth, emphasis)
        if config.loss == "bce_dice":
            loss = loss + dice_loss(logits, truth)
    target, valid = (truth > 0).float(), (truth >= 0).float()
    for other in outputs.auxiliary:
        owed = F.binary_cross_entropy_with_logits(other, target, weight=valid)
        loss = loss + _AUXILIARY_WEIGHT * owed
    if config.click_weight:
        loss = loss + config.click_weight * click_loss(logits, clicks)
    if config.iou_weight and outputs.iou_logits is not None:
        ious = sample_ious(logits.detach() > 0, truth, n_outside_px)
        error = (outputs.iou_logits.float().sigmoid() - ious) ** 2
        loss = loss + config.iou_weight * error.mean()
    return loss


def click_loss(logits: Tensor, clicks: Tensor) -> Tensor:
    """Return the cross-entropy at the clicked pixels, a scalar: a click does what it says.

    Args:
        logits: `[B, H, W]`.
        clicks: Click tensor `[B, N, 3]`.
    """
    height, width = logits.shape[1:]
    columns = clicks[..., 0].long().clamp(0, width - 1)
    rows = clicks[..., 1].long().clamp(0, height - 1)
    sign = clicks[..., 2]
    at_click = logits.flatten(1).gather(1, rows * width + columns).float()
    is_click = (sign != 0).float()
    entropy = F.softplus(-at_click * sign) * is_click
    return entropy.sum() / is_click.sum().clamp_min(1)


def sample_ious(masks: Tensor, truth: Tensor, n_outside_px: Tensor | None = None) -> Tensor:
    """Return each sample's IoU, float `[B]`.

    Args:
        masks: bool `[B, H, W]`.
        truth: int8 `[B, H, W]`; -1 does not count.
        n_outside_px: Pixels of the objects that no mask can reach, `[B]`; none by default.
    """
    valid, wanted = truth >= 0, truth > 0
    intersection = (masks & wanted).sum(dim=(1, 2))
    union = ((masks | wanted) & valid).sum(dim=(1, 2)).float()
    if n_outside_px is not None:
        union = union + n_outside_px
    return intersection / union.clamp_min(1)


def normalised_focal_loss(logits: Tensor, truth: Tensor, emphasis: Tensor | None = None) -> Tensor:
    """Return the normalised focal loss, a scalar: focal weights rescaled to add up to one each.

    The weight of a sample's easy pixels goes to its hard ones, so the loss does not fade as
    the mask gets better. No gradient flows through the weights' normaliser.

    Args:
        logits: `[B, H, W]`.
        truth: `[B, H, W]`, 1 object, 0 background, -1 ignored.
        emphasis: How much each pixel counts, `[B, H, W]`; all alike by default.

    Source: NFL of RITM as used by MFP, alpha 0.5, gamma 2.
    """
    valid = truth >= 0
    target = (truth > 0).float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = (1 - torch.exp(-entropy)) ** _GAMMA * valid
    if emphasis is not None:
        weight = weight * emphasis
    n_valid = valid.sum(dim=(1, 2)).clamp_min(1)
    scale = (n_valid / weight.sum(dim=(1, 2)).clamp_min(1e-6)).detach()
    loss = _ALPHA * (weight * entropy).sum(dim=(1, 2)) * scale / n_valid
    return loss.mean()


def cross_entropy(logits: Tensor, truth: Tensor, emphasis: Tensor) -> Tensor:
    """Return the binary cross-entropy, a scalar; the object's pixels count five times.

    Args:
        logits: `[B, H, W]`.
        truth: `[B, H, W]`, 1 object, 0 background, -1 ignored.
        emphasis: How much each pixel counts, `[B, H, W]`.
    """
    target, weight = (truth > 0).float(), emphasis * (truth >= 0)
    positive = torch.tensor(_POSITIVE_WEIGHT, device=logits.device)
    entropy = F.binary_cross_entropy_with_logits(
        logits, target, pos_weight=positive, reduction="none"
    )
    return (entropy * weight).sum() / weight.sum().clamp_min(1)


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return 1 minus the samples' mean soft Dice coefficient, a scalar; arguments as above.

    Source: Milletari et al., "V-Net" (3DV 2016).
    """
    valid = truth >= 0
    probability, target = logits.sigmoid() * valid, (truth > 0).float()
    common = (probability * target).sum(dim=(1, 2))
    total = probability.sum(dim=(1, 2)) + target.sum(dim=(1, 2))
    return (1 - (2 * common + 1) / (total + 1)).mean()


def nearness_to_edge(truth: Tensor) -> Tensor:
    """Return 1 at the object's edge, falling as a Gaussian of the distance to it, `[B, H, W]`.

    Where the crop ends is no edge.
    """
    reach = int(4 * _EDGE_PX)
    is_object = F.pad((truth > 0).float()[:, None], (reach,) * 4, mode="replicate")[:, 0] > 0
    distance = torch.where(is_object, depths(is_object), depths(~is_object)) - 1
    return torch.exp(-0.5 * (distance / _EDGE_PX) ** 2)[:, reach:-reach, reach:-reach]
