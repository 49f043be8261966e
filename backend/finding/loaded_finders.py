"""Finders by name, as the settings want them, each loaded when it is first asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.downloads import fetch_weights
from backend.models.served import WAIT_FOR_WEIGHTS_S, ServedModels
from backend.settings import Settings
from mfp_model.errors import ConfigError
from mfp_model.names import FINDERS, INPAINTERS, INPAINTERS_WITH_WEIGHTS
from mfp_model.weights.downloads import WEIGHTS_SOURCES
from mfp_model.weights.versions import with_answers, without_precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.finding.answer import FindLayers
    from mfp_model.finding.finders import Finder
    from mfp_model.finding.inpainters import Inpainter
    from mfp_model.finding.layers import LayeredObject, LayersConfig


def finding_version(finder: str, inpainter: str, config: LayersConfig | None = None) -> str:
    """Return the model version of predictions that were made without clicks.

    Opening a task and `mfp annotate` find the same objects with the same means, so these have one
    name, and neither does again what the other did, on a machine of another precision either.

    Args:
        finder: The finder's version.
        inpainter: The inpainter's version.
        config: How both took turns, None for as by default.
    """
    from mfp_model.finding.layers import LayersConfig

    version = f"{without_precision(finder)}-{inpainter}"
    if config is None or config == LayersConfig():
        return version
    return f"{version}-{config.max_rounds}{config.removal[0]}{config.combination[0]}"


class Finders:
    """Finders by name; DeepLab's weights, and those of inpainters, are looked for on disk."""

    def __init__(self, settings: Settings, models: ServedModels) -> None:
        self._settings = settings
        self._models = models
        self._lock = threading.Lock()
        self._deeplab: Finder | None = None
        self._inpainters: dict[str, Inpainter] = {}

    def finder(self, name: str, inpainter: str, project: str) -> tuple[str, FindLayers]:
        """Return version and function of a finder.

        Args:
            name: `mfp` or `deeplab`.
            inpainter: What fills the place of what it takes out.
            project: Label Studio's project id, whose own weights find where it has some.

        Raises:
            ConfigError: Unknown name.
            CheckpointError: Weights are missing.
            NotReadyError: MFP's are not loaded.
        """
        from mfp_model.finding.finders import ClickFinder
        from mfp_model.finding.layers import LayersConfig, find_layers

        if name not in FINDERS:
            names = ", ".join(FINDERS)
            raise ConfigError(f"label config: finder={name!r:.40}, expected one of {names}")
        with self._lock:
            if inpainter not in self._inpainters:
                self._inpainters[inpainter] = self._load_inpainter(inpainter)
            if name == "deeplab":
                finder = self._deeplab = self._deeplab or self._load_deeplab()
        if name == "mfp":
            segmenter = self._models.segmenter(project, wait_s=WAIT_FOR_WEIGHTS_S)
            finder = ClickFinder(segmenter)

        def find(image: NDArray[np.uint8]) -> list[LayeredObject]:
            return find_layers(image, finder, self._inpainters[inpainter], LayersConfig())

        return self.version(name, inpainter, project), find

    def version(self, name: str, inpainter: str, project: str) -> str:
        """Return the version of a finder's predictions, without loading it."""
        finder = self._models.version_of(project)
        if name == "deeplab":
            finder = with_answers(_stem("deeplab-resnet101"))
        if inpainter in INPAINTERS_WITH_WEIGHTS:
            inpainter = f"{inpainter}-{_stem(inpainter)}"
        return finding_version(finder, inpainter)

    def _load_deeplab(self) -> Finder:
        from mfp_model.loading import load_finder

        path = fetch_weights("deeplab-resnet101", self._settings.cache_dir, is_offline=True)
        return load_finder("deeplab", checkpoint=path, device=self._settings.device)

    def _load_inpainter(self, name: str) -> Inpainter:
        from mfp_model.loading import load_inpainter

        if name not in INPAINTERS:
            names = ", ".join(INPAINTERS)
            raise ConfigError(f"label config: inpainter={name!r:.40}, expected one of {names}")
        weights = None
        if name in INPAINTERS_WITH_WEIGHTS:
            weights = fetch_weights(name, self._settings.cache_dir, is_offline=True)
        return load_inpainter(name, weights=weights, device=self._settings.device)


def _stem(weights: str) -> str:
    """The name of a file of published weights, which is their version."""
    return Path(WEIGHTS_SOURCES[weights].file_name).stem
