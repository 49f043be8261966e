"""The way of a click: request -> image -> rounds -> mask -> answer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backend.click_store import ClickStore
from backend.images import ImageLoader, LoadedImage
from backend.model_slot import ModelSlot
from backend.request import RegionRequest, TaskRequest
from backend.response import region_result
from mfp_model.errors import ImageError, MfpError
from mfp_model.segmenters import Prediction
from mfp_model.specks import remove_specks

_log = logging.getLogger(__name__)
_WAIT_FOR_WEIGHTS_S = 60.0
_MAX_PREFETCHES = 32


class Predictor:
    """Answers tasks; holds no state that an answer depends on."""

    def __init__(
        self, images: ImageLoader, store: ClickStore, slot: ModelSlot, *, speck_share: float
    ) -> None:
        self._images = images
        self._store = store
        self._slot = slot
        self._speck_share = speck_share
        self._prefetcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._prefetch_places = threading.BoundedSemaphore(_MAX_PREFETCHES)

    def answer(self, task: TaskRequest, region: RegionRequest) -> dict[str, Any]:
        """Return the entry of `results` for a task's region.

        Raises:
            ImageError: The image cannot be used, or is not of the size that the page sees.
            NotReadyError: The weights are not loaded.
        """
        image = self._images.load(task.image)
        _check_size(image, region)
        prediction = self._predict(image, region)
        mask = remove_specks(prediction.mask, prediction.clicks, share=self._speck_share)
        return region_result(
            region, mask, score=round(prediction.score, 4), version=self._slot.version
        )

    def prefetch(self, task: TaskRequest) -> None:
        """Fetch and decode a task's image in the background; a full queue skips it."""
        if not self._prefetch_places.acquire(blocking=False):
            _log.info("prefetch of task %s skipped: %d are waiting", task.task_id, _MAX_PREFETCHES)
            return
        self._prefetcher.submit(self._load_quietly, task)

    def _load_quietly(self, task: TaskRequest) -> None:
        try:
            self._images.load(task.image)
        except MfpError as error:
            _log.warning("prefetch of task %s failed: %s", task.task_id, error)
        finally:
            self._prefetch_places.release()

    def _predict(self, image: LoadedImage, region: RegionRequest) -> Prediction:
        version = self._slot.version
        known = self._store.longest_prefix(image.digest, version, region.clicks)
        if known is not None and known.clicks == region.clicks:
            return known
        with self._slot.segmenter(wait_s=_WAIT_FOR_WEIGHTS_S) as segmenter:
            for prediction in segmenter.rounds(image.pixels, region.clicks, known):
                self._store.remember(image.digest, version, prediction)
        return prediction


def _check_size(image: LoadedImage, region: RegionRequest) -> None:
    height, width = image.pixels.shape[:2]
    if (width, height) != (region.width, region.height):
        raise ImageError(
            f"image is {width}x{height}, but the page sees {region.width}x{region.height}"
        )
