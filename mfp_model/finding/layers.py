"""Segment, inpaint what was found, segment again, combine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import ConfigError, check_choice
from mfp_model.finding.finders import Finder, FoundObject
from mfp_model.finding.inpainters import Inpainter
from mfp_model.masks.bounds import mask_iou
from mfp_model.names import COMBINATIONS, REMOVALS

_SAME_IOU = 0.5
_KNOWN_SHARE = 0.8  # of an object, found again: the same one
_HIDDEN_SHARE = 0.05  # of an object, behind what was removed
_SPILLED_SHARE = 0.2  # of an object found again, beside the known one and what was removed
_GROWTH = 0.02  # of the long side: how much more than the object is taken out, its shadow's rim

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayeredObject:
    """An object with its place in the order from front to back.

    Attributes:
        whole: The object; its mask may reach behind others.
        order: How many rounds of removing came before it was seen whole: 0 for the front.
        visible: The mask as it was seen before anything was removed; empty where nothing was.
    """

    whole: FoundObject
    order: int
    visible: Mask

    @property
    def is_hidden(self) -> bool:
        """Whether a part of it is behind another object."""
        return self.order > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersConfig:
    """How objects behind others are looked for.

    Attributes:
        max_rounds: How often something is removed at most; 0 only finds.
        removal: What is removed after each round: `all` objects that are left, or the `surest` of
            those that were found earliest, behind which the others may turn out to go on.
        combination: `layers` for objects with their order; `common`, the source system's, for one
            mask of what was object in every round.

    Raises:
        ConfigError: A value outside its range.
    """

    max_rounds: int = 4
    removal: str = "surest"
    combination: str = "layers"

    def __post_init__(self) -> None:
        if not 0 <= self.max_rounds <= 100:
            raise ConfigError(f"max_rounds={self.max_rounds}: expected 0..100")
        check_choice("removal", self.removal, REMOVALS)
        check_choice("combination", self.combination, COMBINATIONS)


def find_layers(
    image: NDArray[np.uint8], finder: Finder, inpainter: Inpainter, config: LayersConfig
) -> list[LayeredObject]:
    """Return the objects of an image and those behind them, front first.

    Stops when nothing is left to remove, or after the rounds that the config allows.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        finder: What segments.
        inpainter: What fills the place of what is removed.
        config: How far to go.
    """
    layers: list[LayeredObject] = []  # by round, and in each the surest first
    seen: list[Sequence[FoundObject]] = []
    gone = np.zeros(image.shape[:2], dtype=np.bool_)
    removed: set[int] = set()
    scene, changed = image, None
    for order in range(config.max_rounds + 1):
        wants_all = config.combination == "common"
        seen.append(finder.find(scene, None if wants_all else changed))
        for found_object in seen[-1]:
            _take_in(layers, found_object, order, gone)
        left = [index for index in range(len(layers)) if index not in removed]
        if not left or order == config.max_rounds:
            break
        chosen = left if config.removal == "all" else left[:1]
        removed.update(chosen)
        hole = np.any([layers[index].whole.mask for index in chosen], axis=0)
        changed = _grown(hole)
        scene = inpainter.inpaint(scene, changed)
        gone |= hole
    if config.combination == "common":
        mask = common_mask(seen, gone.shape)
        common = LayeredObject(whole=FoundObject(mask=mask, score=1.0), order=0, visible=mask)
        return [common] if mask.any() else []
    return sorted(layers, key=lambda layer: layer.order)


def common_mask(rounds: Sequence[Sequence[FoundObject]], shape: tuple[int, ...]) -> Mask:
    """Return what was object in every round, bool `[H, W]`: the source system's combination.

    Args:
        rounds: The objects found in each.
        shape: Of the image.
    """
    empty = np.zeros(shape, dtype=np.bool_)
    seen = [
        np.any([empty, *(found_object.mask for found_object in objects)], axis=0)
        for objects in rounds
    ]
    return np.asarray(np.all(seen, axis=0)) if seen else empty


def _take_in(layers: list[LayeredObject], candidate: FoundObject, order: int, gone: Mask) -> None:
    """Add a new object, or the hidden part of a known one; what is known already adds nothing."""
    area = max(1, int(candidate.mask.sum()))
    for index, layer in enumerate(layers):
        overlap = int((layer.whole.mask & candidate.mask).sum())
        covers = overlap >= _KNOWN_SHARE * max(1, int(layer.whole.mask.sum()))
        behind = candidate.mask & ~layer.whole.mask & gone
        spilled = int((candidate.mask & ~layer.whole.mask & ~gone).sum())
        if covers and behind.sum() > _HIDDEN_SHARE * area and spilled < _SPILLED_SHARE * area:
            # What was seen of it before stays; only what was behind others is new.
            longer = replace(layer.whole, mask=layer.whole.mask | behind)
            layers[index] = replace(layer, whole=longer, order=order)
            return
        is_same = mask_iou(layer.whole.mask, candidate.mask) >= _SAME_IOU
        if is_same or covers or overlap >= _KNOWN_SHARE * area:
            return
    was_covered = int((candidate.mask & gone).sum()) > _HIDDEN_SHARE * area
    place = order if was_covered else 0  # else it was there to be seen, and only overlooked
    layers.append(LayeredObject(whole=candidate, order=place, visible=candidate.mask & ~gone))


def _grown(mask: Mask) -> Mask:
    reach = max(1, round(_GROWTH * max(mask.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disk), dtype=np.bool_)
