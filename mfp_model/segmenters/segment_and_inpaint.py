"""Segment-and-inpaint as a segmenter: clicks choose among what was found, in front and behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mfp_model.finding.finders import ClickFinder
from mfp_model.finding.inpainters import Inpainter
from mfp_model.finding.layers import LayersConfig, find_layers
from mfp_model.image_cache import ImageCache
from mfp_model.masks.rle import decode_segmentation, encode_mask
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, empty_prediction
from mfp_model.prompts import Click, Prompt, clicks_of
from mfp_model.segmenter import Segmenter

_MAX_IMAGES = 64


class InpaintingSegmenter(Segmenter):
    """A click takes the front object there; a negative click on that, the one behind it.

    The objects of an image are found at its first click. Where none lies under a click, the
    segmenter inside answers.
    """

    def __init__(self, inner: Segmenter, inpainter: Inpainter, config: LayersConfig) -> None:
        self._inner = inner
        self._finder = ClickFinder(inner)
        self._inpainter = inpainter
        self._config = config
        self._cache: ImageCache[list[dict[str, object]]] = ImageCache(max_images=_MAX_IMAGES)

    @property
    def version(self) -> str:
        """The inner segmenter's and the inpainter's."""
        return f"{self._inner.version}-inpaint-{self._inpainter.version}"

    @property
    def n_bytes(self) -> int:
        """The inner segmenter's."""
        return self._inner.n_bytes

    @property
    def device(self) -> str:
        """Where the inner segmenter computes."""
        return self._inner.device

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        """Yield the prediction after the last prompt."""
        mask = _chosen(self._masks(image), clicks_of(prompts))
        if mask is None:
            mask = self._inner.segment(image, prompts).mask
        yield dataclasses.replace(empty_prediction(image), prompts=prompts, cut=MaskRuns.of(mask))

    def _masks(self, image: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
        """The objects of the image, front first, from memory where it was met before."""
        for rle in self._cache.get(image, lambda: self._encoded_masks(image)):
            yield decode_segmentation(rle, height=image.shape[0], width=image.shape[1])

    def _encoded_masks(self, image: NDArray[np.uint8]) -> list[dict[str, object]]:
        layers = find_layers(image, self._finder, self._inpainter, self._config)
        return [encode_mask(layer.whole.mask) for layer in layers]


def _chosen(
    masks: Iterator[NDArray[np.bool_]], clicks: Sequence[Click]
) -> NDArray[np.bool_] | None:
    """The first object under each positive click and under no negative one, all joined.

    None where a positive click has no such object.
    """
    union: NDArray[np.bool_] | None = None
    wanted = [click for click in clicks if click.is_positive]
    for mask in masks:
        if not wanted:
            break
        if any(_lies_on(mask, click) for click in clicks if not click.is_positive):
            continue
        hit = [click for click in wanted if _lies_on(mask, click)]
        if hit:
            union = mask if union is None else union | mask
            wanted = [click for click in wanted if click not in hit]
    return None if wanted else union


def _lies_on(mask: NDArray[np.bool_], click: Click) -> bool:
    height, width = mask.shape
    return bool(mask[click.pixel(height=height, width=width)])
