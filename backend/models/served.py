"""The weights that answer: a default, and versions that serve projects of their own.

A promoted version is loaded and warmed up beside the one before it, and then takes its place
between two requests. A request keeps the segmenter that it began with.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.models.loaded import LoadedSegmenters
from backend.models.promoted import PromotedVersions
from backend.models.registry import ModelRegistry
from backend.models.serving import RegistryAwayError, RegistryError, Serving
from mfp_model.errors import CheckpointError, MfpError
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter
from mfp_model.weights.versions import model_version

_log = logging.getLogger(__name__)
WAIT_FOR_WEIGHTS_S = 60.0  # of a request that comes while they load
_LOOK_EVERY_S = 1.0
_AGAIN_S = 5.0  # after which the default's weights are loaded again where that failed
_WARM_UP_PX = 64
_MAX_BYTES = 2_000_000_000

Load = Callable[[Path | None], Segmenter]


class NotReadyError(MfpError):
    """The weights are still being loaded, or could not be."""


class ServedModels:
    """Knows the segmenters that serve; they lie in memory, or are loaded into it."""

    def __init__(
        self,
        load: Load,
        *,
        version: str,
        loaded: LoadedSegmenters | None = None,
        registry: ModelRegistry | None = None,
        read_version: Callable[[Path], str] = model_version,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """Prepare them; the default's weights are loaded in the background after `start`.

        Args:
            load: Returns the segmenter of a checkpoint, the default's for None.
            version: The default's model version, as far as it is known before it is loaded.
            loaded: Where segmenters are kept; None for a place of its own.
            registry: Promoted versions; None where there are none.
            read_version: Returns the model version of a checkpoint.
            on_failure: Told why a promoted version cannot be loaded.
        """
        self._load = load
        self._version = version
        self._registry = registry
        self._promoted = (
            None
            if registry is None
            else PromotedVersions(registry, prepare=self._prepare, on_failure=on_failure)
        )
        self._read_version = read_version
        self.loaded = loaded or LoadedSegmenters(max_bytes=_MAX_BYTES)
        self._failure: str | None = None
        self._n_bytes = 0  # of one version, about
        self._mark = ""  # what this machine adds to a model version: its precision
        self._default_done = threading.Event()
        self._all_done = threading.Event()  # with the promoted versions for which there is room
        self._read: dict[tuple[str, object], str] = {}  # what the registry's answer as
        self._names: dict[str, str] = {}  # in the registry, by model version

    @property
    def version(self) -> str:
        """The model version of projects that have none of their own, known before it is loaded."""
        return self.version_of("")

    @property
    def is_ready(self) -> bool:
        """Whether the weights are loaded that there is room for, and it is known what serves.

        Clicks are answered as soon as the default's are; other versions are loaded for them.
        """
        are_known = self._promoted is None or self._promoted.are_known
        return self._all_done.is_set() and self._failure is None and are_known

    @property
    def failure(self) -> str | None:
        """Why the default's weights could not be loaded, or None."""
        return self._failure

    @property
    def taken(self) -> Serving:
        """The promoted versions that answer, without those that are damaged, away or not loaded."""
        return Serving({}) if self._promoted is None else self._promoted.taken

    def version_of(self, project: str) -> str:
        """Return the model version that serves a project; the default's where it is not known."""
        try:
            return self._serving(project)
        except RegistryAwayError:
            return self._version

    def start(self) -> None:
        """Load the weights, and look for promoted versions from then on, in a thread."""
        threading.Thread(target=self._run, name="load-weights", daemon=True).start()

    def segmenter(self, project: str, *, begun: str | None = None, wait_s: float) -> Segmenter:
        """Return the segmenter that answers.

        Args:
            project: Label Studio's project id.
            begun: The model version that the object was begun on, which finishes it.
            wait_s: How long to wait for the default's weights.

        Raises:
            NotReadyError: The weights are not loaded after `wait_s`, or cannot be.
            RegistryAwayError: They cannot be had just now.
        """
        if not self._default_done.wait(wait_s):
            raise NotReadyError(f"weights {self._version} are still loading after {wait_s:g} s")
        if self._failure is not None:
            raise NotReadyError(f"weights {self._version} cannot be loaded: {self._failure}")
        serving = self._serving(project)
        if begun is not None and begun != serving:
            try:
                return self._get(begun)
            except NotReadyError as error:  # deleted meanwhile
                _log.warning("an object begun on %s goes on with %s: %s", begun, serving, error)
        try:
            return self._get(serving)
        except NotReadyError:
            self._all_done.wait(wait_s)
            before = self._serving(project)  # the version before a damaged one
            if before == serving:
                raise
        return self._get(before)

    def look(self) -> None:
        """Take over what was promoted or rolled back, once its weights are loaded."""
        if self._promoted is not None:
            self._promoted.look()

    def _run(self) -> None:
        while not self._load_default():
            time.sleep(_AGAIN_S)
        if self._promoted is not None:
            self._promoted.look(again=True)
        self._all_done.set()
        while self._registry is not None:
            time.sleep(_LOOK_EVERY_S)
            self.look()

    def _load_default(self) -> bool:
        try:
            segmenter = _warm(self._load(None))
            if segmenter.version.startswith(self._version):
                self._mark = segmenter.version.removeprefix(self._version)
            self._version = segmenter.version  # the file may have been replaced meanwhile
            self._n_bytes = segmenter.n_bytes
            self.loaded.keep(self._version, "mfp", segmenter)
            self.look()
            _log.info("weights %s are loaded", self._version)
            self._failure = None
        except Exception as error:
            if self._failure != str(error):
                fault = None if isinstance(error, MfpError) else error
                _log.error("weights %s cannot be loaded: %s", self._version, error, exc_info=fault)
            self._failure = str(error)
        finally:
            self._default_done.set()
        return self._failure is None

    def _serving(self, project: str) -> str:
        version = self._promoted.version(project) if self._promoted is not None else None
        return self._version if version is None else version

    def _prepare(self, name: str) -> str:
        """Load a version of the registry, where there is room, and return its model version.

        Those that served before the start are loaded after the default, for which clicks wait.
        """
        version = self._model_version(name)
        has_room = self.loaded.has_room(self._n_bytes)  # the others when they are asked for
        if has_room and self._default_done.is_set():
            self._get(version)
        return version

    def _get(self, version: str) -> Segmenter:
        return self.loaded.get(version, "mfp", lambda: self._loaded_now(version))

    def _loaded_now(self, version: str) -> Segmenter:
        try:
            if version == self._version:
                return _warm(self._load(None))
            return _warm(self._load(self._checkpoint(version)))
        except RegistryAwayError:
            raise
        except MfpError as error:
            raise NotReadyError(f"weights {version} cannot be loaded: {error}") from None

    def _model_version(self, name: str) -> str:
        """The model version of what the registry has by a name, on this machine."""
        assert self._registry is not None, "only what it holds has such a name"
        entry = self._registry.version(name)
        key = (name, entry.manifest.get("added"))  # a deleted one's name may be given again
        if key not in self._read:
            self._read[key] = self._read_version(self._registry.checkpoint(name))
        version = self._read[key] + self._mark
        self._names[version] = name
        return version

    def _checkpoint(self, version: str) -> Path:
        """The file in the registry that answers as a model version."""
        if self._registry is not None:
            cached_name = self._names.get(version)
            for name in self._registry.names() if cached_name is None else [cached_name]:
                if version.startswith(name) and self._model_version(name) == version:
                    return self._registry.checkpoint(name)
        raise RegistryError(f"model version {version!r:.80}: unknown")


def _warm(segmenter: Segmenter) -> Segmenter:
    """Return the segmenter after one click: the first takes longer than the next.

    Raises:
        CheckpointError: Its answer is not finite.
    """
    image = np.zeros((_WARM_UP_PX, _WARM_UP_PX, 3), dtype=np.uint8)
    answer = segmenter.segment(image, [Click(x=_WARM_UP_PX / 2, y=_WARM_UP_PX / 2)])
    if not np.isfinite(answer.probability_map).all():
        raise CheckpointError(f"weights {segmenter.version}: probabilities are not finite")
    return segmenter
