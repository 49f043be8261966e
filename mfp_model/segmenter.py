"""The small contract that every segmenter fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import ImageError, PromptError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, empty_prediction, mask_prediction
from mfp_model.prompts import Click, Prompt, Stroke, check_prompts

APPEARANCE_CELL_PX = 4


class Segmenter(ABC):
    """Image + prompts + previous prediction -> prediction, one round per prompt.

    An answer is a pure function of the image, the prior mask, the prompts in their order and the
    weights: going on from a previous prediction gives the same bytes as starting over.
    """

    @property
    @abstractmethod
    def version(self) -> str:
        """What answers carry as their model version."""

    @property
    def n_bytes(self) -> int:
        """What its weights and what computes them hold in memory, about."""
        return 0

    @property
    def edits(self) -> bool:
        """Whether it can start from a mask that is there already."""
        return False

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        """The kinds of prompts that it understands; others are refused."""
        return (Click, Stroke)

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it computes, in torch's words, and by which engine where there are several."""

    def appearance(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what an image looks like, for each cell of 4x4 pixels.

        Here that is its mean colour; a segmenter that has learned more tells more.

        Args:
            image: RGB uint8 `[H, W, 3]`, H and W multiples of 4.

        Returns:
            float32 `[H/4, W/4, C]`.
        """
        check_image(image)
        height, width = image.shape[:2]
        size = (width // APPEARANCE_CELL_PX, height // APPEARANCE_CELL_PX)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float32) / np.float32(255)

    def rounds(
        self,
        image: NDArray[np.uint8],
        prompts: Sequence[Prompt],
        previous: Prediction | None = None,
    ) -> Iterator[Prediction]:
        """Return the prediction after each prompt that `previous` has not answered yet.

        A segmenter that computes all prompts at once yields the last prediction only.

        Args:
            image: RGB uint8 `[H, W, 3]`.
            prompts: All prompts, oldest first, image frame.
            previous: A prediction for the same image whose prompts are a prefix of `prompts`, or
                a mask to be edited, see `mask_prediction`.

        Raises:
            ImageError: The image has another shape or type.
            PromptError: A prompt outside the image or of a kind that the segmenter does not
                understand, `previous` answers other prompts, is of another size, or is a mask
                where the segmenter does not edit any.
        """
        check_image(image)
        height, width = image.shape[:2]
        checked = check_prompts(prompts, height=height, width=width, kinds=self.prompt_kinds)
        n_done = check_previous(image, checked, previous, edits=self.edits)
        if n_done == len(checked):
            return iter(())
        return self._rounds(image, checked, previous or empty_prediction(image))

    @abstractmethod
    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        """Yield what `rounds` returns; all is checked, and at least one prompt is not answered."""

    def segment(
        self,
        image: NDArray[np.uint8],
        prompts: Sequence[Prompt],
        previous: Prediction | NDArray[np.bool_] | None = None,
    ) -> Prediction:
        """Return the prediction after the last prompt; see `rounds`.

        Args:
            image: RGB uint8 `[H, W, 3]`.
            prompts: All prompts, oldest first, image frame.
            previous: As in `rounds`, or the mask to be edited itself, bool `[H, W]`.

        Raises:
            ImageError: As in `rounds`.
            PromptError: As in `rounds`.
        """
        check_image(image)
        if isinstance(previous, np.ndarray):
            previous = mask_prediction(MaskRuns.of(_checked_mask(previous, image)))
        last = previous
        for prediction in self.rounds(image, prompts, previous):
            last = prediction
        return empty_prediction(image) if last is None else last


def _checked_mask(mask: NDArray[np.bool_], image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    if mask.dtype != np.bool_ or mask.shape != image.shape[:2]:
        raise PromptError(
            f"previous {mask.dtype} {list(mask.shape)}: expected bool {list(image.shape[:2])}"
        )
    return mask


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not an RGB image.

    Raises:
        ImageError: Not uint8 `[H, W, 3]` with at least one pixel.
    """
    if not isinstance(image, np.ndarray):  # as a Pillow image, or what code without types gives
        raise ImageError(f"image {type(image).__name__}: expected a numpy array, uint8 [H, W, 3]")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(
            f"image {image.dtype} {list(image.shape)}: expected uint8 [H, W, 3], not empty"
        )


def check_previous(
    image: NDArray[np.uint8],
    prompts: tuple[Prompt, ...],
    previous: Prediction | None,
    *,
    edits: bool = False,
) -> int:
    """Return how many of the prompts `previous` has answered already.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        prompts: All prompts.
        previous: What is to be gone on from.
        edits: Whether it may be a mask.

    Raises:
        PromptError: `previous` is no prediction, answers prompts that are not a prefix of
            `prompts`, is of another size, or is a mask where it may not be one.
    """
    if previous is None:
        return 0
    if not isinstance(previous, Prediction):  # code without types may give any
        raise PromptError(
            f"previous {type(previous).__name__}: expected a Prediction, or in `segment` a mask as "
            "a numpy array, bool [H, W]"
        )
    size = (previous.layers.height, previous.layers.width)
    if size != image.shape[:2]:
        raise PromptError(f"previous is of {size} pixels, expected {image.shape[:2]}")
    if previous.edited is not None and not edits:
        raise PromptError("previous is a mask to be edited: expected a segmenter that can")
    n_done = len(previous.prompts)
    if previous.prompts != prompts[:n_done]:
        raise PromptError(f"previous answers {n_done} prompts that are not the first of these")
    return n_done
