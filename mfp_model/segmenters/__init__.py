"""The small contract that every segmenter fulfils, and segmenters by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.clicks import Click
from mfp_model.errors import ClickError, ConfigError, ImageError
from mfp_model.mask_runs import MaskRuns
from mfp_model.rle import decode_segmentation
from mfp_model.thresholding import runs_above
from mfp_model.transforms import Box, LayeredMap

MASK_THRESHOLD = 0.5  # Source: the published evaluation.
SEGMENTERS = {
    "mfp": "MFP: the network that carries its map from click to click",
    "mfp-refined": "MFP, its masks' boundaries moved by a graph cut",
    "unet": "a ResNet-34 U-Net on image and clicks",
    "graph-cut": "a graph cut on colours",
    "graph-cut-deep": "a graph cut on a network's features",
    "inpaint": "objects found by MFP's automatic clicks, and those behind them",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a segmenter answers after a click, and all it needs to go on from there.

    Small at any image size: maps are kept at network size until they are asked for.

    Attributes:
        clicks: The clicks it answers, oldest first, image frame.
        layers: The probability map, composed on demand.
        zoom: The box that was looked at last, or None for the whole image.
        cut: The mask where it is not the map's threshold: a graph cut's, as COCO RLE.
    """

    clicks: tuple[Click, ...]
    layers: LayeredMap
    zoom: Box | None = None
    cut: Mapping[str, Any] | None = None

    @property
    def probability_map(self) -> NDArray[np.float32]:
        """Probabilities float32 `[H, W]` in 0..1, image frame; composed at every call."""
        return self.layers.full() if self.layers.layers else self.mask.astype(np.float32)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object, bool `[H, W]`, image frame; composed at every call."""
        return self.runs.mask()

    @property
    def runs(self) -> MaskRuns:
        """The object as runs, far cheaper than its pixels; composed at every call."""
        if self.cut is not None:
            height, width = self.layers.height, self.layers.width
            return MaskRuns.of(decode_segmentation(self.cut, height=height, width=width))
        return runs_above(self.layers, MASK_THRESHOLD)

    @property
    def score(self) -> float:
        """Mean probability of the cells inside the mask as last looked at, 0 for none.

        A cut without probabilities gets 1, or 0 where it is empty.
        """
        if not self.layers.layers:
            return float(self.cut is not None and self.mask.any())
        values = self.layers.layers[-1].values
        inside = values[values > MASK_THRESHOLD]
        return float(inside.mean(dtype=np.float64)) if inside.size else 0.0

    @property
    def n_bytes(self) -> int:
        """Memory held by the maps."""
        n_cut = len(self.cut["counts"]) if self.cut else 0
        return n_cut + sum(layer.values.nbytes for layer in self.layers.layers)


class Segmenter(ABC):
    """Image + clicks + previous prediction -> prediction, one round per click.

    An answer is a pure function of the image, the clicks in their order and the weights:
    going on from a previous prediction gives the same bytes as starting over.
    """

    @property
    @abstractmethod
    def version(self) -> str:
        """What answers carry as their model version."""

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it computes, in torch's words, and by which engine where there are several."""

    @abstractmethod
    def rounds(
        self,
        image: NDArray[np.uint8],
        clicks: Sequence[Click],
        previous: Prediction | None = None,
    ) -> Iterator[Prediction]:
        """Yield the prediction after each click that `previous` has not answered yet.

        A segmenter to which the way to the clicks makes no difference yields the last one only.

        Args:
            image: RGB uint8 `[H, W, 3]`.
            clicks: All clicks, oldest first, image frame.
            previous: A prediction for the same image whose clicks are a prefix of `clicks`.

        Raises:
            ImageError: The image has another shape or type.
            ClickError: A click outside the image, or `previous` answers other clicks.
        """

    def segment(
        self,
        image: NDArray[np.uint8],
        clicks: Sequence[Click],
        previous: Prediction | None = None,
    ) -> Prediction:
        """Return the prediction after the last click; arguments and errors as in `rounds`."""
        check_image(image)
        last = previous or empty_prediction(image)
        for prediction in self.rounds(image, clicks, previous):
            last = prediction
        return last


def empty_prediction(image: NDArray[np.uint8]) -> Prediction:
    """Return the prediction before the first click: nothing segmented."""
    height, width = image.shape[:2]
    return Prediction(clicks=(), layers=LayeredMap(height=height, width=width))


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not an RGB image.

    Raises:
        ImageError: Not uint8 `[H, W, 3]` with at least one pixel.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(
            f"image {image.dtype} {list(image.shape)}: expected uint8 [H, W, 3], not empty"
        )


def check_prefix(clicks: tuple[Click, ...], previous: Prediction | None) -> int:
    """Return how many of the clicks `previous` has answered already.

    Raises:
        ClickError: `previous` answers clicks that are not a prefix of `clicks`.
    """
    if previous is None:
        return 0
    n_done = len(previous.clicks)
    if previous.clicks != clicks[:n_done]:
        raise ClickError(f"previous answers {n_done} clicks that are not the first of these")
    return n_done


def load_segmenter(
    name: str = "mfp",
    *,
    checkpoint: Path | None = None,
    constants: Path | None = None,
    device: str = "auto",
    engine: str = "auto",
) -> Segmenter:
    """Return a segmenter ready to use.

    Args:
        name: One of `SEGMENTERS`.
        checkpoint: Weights, for `graph-cut-deep` those of the features; the shipped ones by
            default.
        constants: A file of `mfp tune-graph-cut`, for `graph-cut` and `graph-cut-deep`.
        device: `auto` (CUDA where there is one, else CPU), `cpu`, `cuda` or `cuda:N`.
        engine: What computes networks there: `auto`, `pytorch` or, on CPUs, `openvino`.

    Raises:
        ConfigError: Unknown name, device or engine, or a file that the segmenter has no use for.
        CheckpointError: The weights cannot be loaded.
    """
    if name not in SEGMENTERS:
        raise ConfigError(f"segmenter {name!r}: expected one of {', '.join(SEGMENTERS)}")
    from mfp_model.segmenters import loading  # loads torch

    return loading.load(
        name, checkpoint=checkpoint, constants=constants, device=device, engine=engine
    )
