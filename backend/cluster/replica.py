"""A replica: computes rounds with the versions that it was asked for.

What it keeps of images, rounds and versions is bounded, and saves time only: whatever it does not
have is sent to it again, or loaded again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.answering.newest_clicks import NewestClicks
from backend.cluster.handshake import Likeness, check_alike, likeness_of
from backend.cluster.messages import (
    ClusterError,
    Facts,
    Missing,
    OutOfDate,
    Picture,
    Round,
    Which,
    prediction_name,
)
from backend.models.loaded import LoadedSegmenters
from backend.models.segmenter_choice import AROUND_MFP
from backend.storage.bounded_cache import BoundedCache
from mfp_model.prediction import Prediction
from mfp_model.segmenter import Segmenter

_KEPT_S = 3600.0
_OVERHEAD_BYTES = 2048


class Replica:
    """Any thread may use it; one computes at a time."""

    def __init__(
        self,
        load: Callable[[Which], Segmenter],
        dress: Callable[[str, Segmenter], Segmenter],
        agree: Callable[[Likeness], Likeness],
        *,
        n_threads: int = 1,
        images_bytes: int,
        rounds_bytes: int,
        models_bytes: int,
    ) -> None:
        """Load the weights of the settings, and see that they compute as on other replicas.

        Args:
            load: Returns a segmenter that is not built around another one.
            dress: Returns the one of a name that is built around MFP.
            agree: Returns what all replicas compute with, given what this one does.
            n_threads: Threads that compute.
            images_bytes: What images may hold in memory.
            rounds_bytes: What predictions may hold in memory.
            models_bytes: What segmenters may hold in memory.

        Raises:
            ClusterError: It does not compute as the others.
            MfpError: The weights cannot be loaded.
        """
        self._load = load
        self._dress = dress
        self._agree = agree
        self._loaded = LoadedSegmenters(max_bytes=models_bytes)
        self._images: BoundedCache[str, NDArray[np.uint8]] = BoundedCache(
            max_bytes=images_bytes, max_age_s=_KEPT_S
        )
        self._rounds: BoundedCache[str, Prediction] = BoundedCache(
            max_bytes=rounds_bytes, max_age_s=_KEPT_S
        )
        self._newest = NewestClicks()
        self._computes = threading.Lock()
        self._likeness = likeness_of(self._segmenter(Which()), n_threads)
        self.check()

    def check(self) -> None:
        """See that it still computes as the others.

        Raises:
            ClusterError: It does not.
        """
        check_alike(self._likeness, self._agree(self._likeness))

    def facts(self, which: Which) -> Facts:
        """Return what a front must know of a segmenter, which is loaded.

        Raises:
            MfpError: It cannot be loaded.
        """
        segmenter = self._segmenter(which)
        return Facts(
            version=segmenter.version,
            device=segmenter.device,
            edits=segmenter.edits,
            prompt_kinds=segmenter.prompt_kinds,
        )

    def next_round(self, asked: Round) -> Prediction | Missing | OutOfDate:
        """Return the prediction that follows, or why there is none.

        A click stops older ones of its object: those that wait here are not computed any more.

        Raises:
            ClusterError: Its weights are of another version than the front's.
            MfpError: As of `Segmenter.rounds`.
        """
        who = (asked.number, asked.session, asked.point_ids)
        self._newest.note(*who)
        pixels = self._pixels(asked.picture)
        previous = self._previous(asked)
        lacks_previous = bool(asked.previous_name) and previous is None
        if pixels is None or lacks_previous:
            return Missing(picture=pixels is None, previous=lacks_previous)
        segmenter = self._segmenter(asked.which)
        if segmenter.version != asked.version:
            raise ClusterError(
                f"a replica has {segmenter.version} where {asked.version} was asked for: "
                "do all machines mount the same folder?"
            )
        with self._computes:
            if self._newest.has_newer(*who):
                return OutOfDate()
            prediction = next(segmenter.rounds(pixels, asked.prompts, previous))
        self._keep(prediction_name(prediction), prediction)
        return prediction

    def appearance(self, which: Which, picture: Picture) -> NDArray[np.float32] | Missing:
        """Return what an image looks like, or what is missing for it; see `Segmenter`."""
        pixels = self._pixels(picture)
        if pixels is None:
            return Missing(picture=True)
        segmenter = self._segmenter(which)
        with self._computes:
            return segmenter.appearance(pixels)

    def _segmenter(self, which: Which) -> Segmenter:
        name = which.name
        if name not in AROUND_MFP:
            return self._loaded.get(name, name, lambda: self._load(which))
        if name == "mfp":
            return self._loaded.get(which.checkpoint, name, lambda: self._load(which))
        inner = self._segmenter(replace(which, name="mfp"))
        return self._loaded.get(which.checkpoint, name, lambda: self._dress(name, inner))

    def _pixels(self, picture: Picture) -> NDArray[np.uint8] | None:
        if picture.pixels is None:
            return self._images.get(picture.name)
        self._images.put(picture.name, picture.pixels, picture.pixels.nbytes)
        return picture.pixels

    def _previous(self, asked: Round) -> Prediction | None:
        if asked.previous is None:
            return self._rounds.get(asked.previous_name) if asked.previous_name else None
        self._keep(asked.previous_name, asked.previous)
        return asked.previous

    def _keep(self, name: str, prediction: Prediction) -> None:
        self._rounds.put(name, prediction, prediction.n_bytes + _OVERHEAD_BYTES)
