"""The weights that answer, loaded in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from mfp_model.errors import MfpError
from mfp_model.segmenters import Segmenter

_log = logging.getLogger(__name__)


class NotReadyError(MfpError):
    """The weights are still being loaded, or could not be."""


class ModelSlot:
    """Holds the segmenter."""

    def __init__(
        self,
        load: Callable[[], Segmenter],
        *,
        version: str,
        on_loaded: Callable[[Segmenter], None] = lambda segmenter: None,
    ) -> None:
        """Prepare a slot; `load` runs in the background after `start`.

        Args:
            load: Returns the segmenter.
            version: The model version that is being loaded.
            on_loaded: Told of the segmenter as soon as it answers.
        """
        self._load = load
        self._version = version
        self._on_loaded = on_loaded
        self._segmenter: Segmenter | None = None
        self._failure: str | None = None
        self._done = threading.Event()

    @property
    def version(self) -> str:
        """The model version, known before the weights are loaded."""
        return self._version

    @property
    def is_ready(self) -> bool:
        """Whether the weights are loaded."""
        return self._segmenter is not None

    @property
    def failure(self) -> str | None:
        """Why the weights could not be loaded, or None."""
        return self._failure

    def start(self) -> None:
        """Load the weights in a thread of their own."""
        threading.Thread(target=self._run, name="load-weights", daemon=True).start()

    def segmenter(self, *, wait_s: float) -> Segmenter:
        """Return the segmenter.

        Raises:
            NotReadyError: The weights are not loaded after `wait_s`, or cannot be.
        """
        if not self._done.wait(wait_s):
            raise NotReadyError(f"weights {self._version} are still loading after {wait_s:g} s")
        if self._segmenter is None:
            raise NotReadyError(f"weights {self._version} cannot be loaded: {self._failure}")
        return self._segmenter

    def _run(self) -> None:
        try:
            segmenter = self._load()
            self._version = segmenter.version  # the file may have been replaced meanwhile
            self._segmenter = segmenter
            self._on_loaded(segmenter)
            _log.info("weights %s are loaded", self._version)
        except Exception as error:
            self._failure = str(error)
            _log.exception("weights %s cannot be loaded", self._version)
        finally:
            self._done.set()
