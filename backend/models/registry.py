"""Versions of the weights: a folder of checkpoints with manifests, and which of them serve.

    models/serving.json               {"global": [...], "projects": {"14": [..., newest]}}
    models/VERSION/checkpoint.safetensors
    models/VERSION/manifest.json      base, data, scores, time
    models/VERSION/report.html

Where nothing is promoted, the checkpoint of the settings serves. Several machines mount the folder,
and keep in their database what serves.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.models.serving import (
    GLOBAL,
    RegistryError,
    Serving,
    ServingFile,
    ServingStore,
    ServingTable,
)
from backend.storage.shared_state import SharedState
from mfp_model.files import write_atomically
from mfp_model.weights import weights_version

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version in the folder.

    Attributes:
        version: Its name, the model version of its answers.
        checkpoint: Its weights.
        report: Its page; it may be missing.
        manifest: What is known of it.
    """

    version: str
    checkpoint: Path
    report: Path
    manifest: Mapping[str, Any]

    @property
    def added(self) -> float:
        """When it was put into the folder, in seconds since 1970; 0 where that is not known."""
        added = self.manifest.get("added")
        return float(added) if isinstance(added, int | float) else 0.0


def model_registry(state: SharedState) -> ModelRegistry:
    """Return the versions of a data folder."""
    models = state.data.models
    return ModelRegistry(models, None if state.server is None else ServingTable(state.server))


class ModelRegistry:
    """The folder."""

    def __init__(self, root: Path, serving: ServingStore | None = None) -> None:
        """Open the folder.

        Args:
            root: The folder.
            serving: Where it is kept what serves; None for a file in the folder.
        """
        self._root = root
        self._serving = serving or ServingFile(root)

    def versions(self) -> list[ModelVersion]:
        """Return all versions, oldest first; a damaged one is left out and logged."""
        versions = []
        for path in self._root.glob("*/manifest.json"):
            try:
                versions.append(self._read(path.parent))
            except RegistryError as error:
                _log.error("left out: %s", error)
        return sorted(versions, key=lambda version: (version.added, version.version))

    def names(self) -> set[str]:
        """Return the names of all versions."""
        return {path.parent.name for path in self._root.glob("*/manifest.json")}

    def version(self, name: str) -> ModelVersion:
        """Return a version.

        Raises:
            RegistryError: There is none of that name.
        """
        folder = self._root / name
        if not _NAME.fullmatch(name) or not (folder / "manifest.json").is_file():
            raise RegistryError(f"model version {name!r:.80}: unknown")
        return self._read(folder)

    def add_file(self, checkpoint: Path) -> str:
        """Put a checkpoint into the folder, with what `mfp fine-tune` wrote beside it.

        Returns:
            Its version.

        Raises:
            CheckpointError: The file is damaged.
            RegistryError: The folder has another checkpoint of this version.
        """
        version = weights_version(checkpoint)
        there = self._root / version / "checkpoint.safetensors"
        if there.exists() and there.read_bytes() != checkpoint.read_bytes():
            raise RegistryError(f"model version {version!r}: exists already with other weights")
        manifest = checkpoint.with_suffix(".json")
        about = json.loads(manifest.read_text()) if manifest.exists() else {}
        self.add(version, checkpoint, checkpoint.with_suffix(".report.html"), about)
        return version

    def add(self, version: str, checkpoint: Path, report: Path, about: Mapping[str, Any]) -> None:
        """Put a version into the folder, whole or not at all; one that is there is kept.

        A report that does not exist is left out.

        Raises:
            RegistryError: The name cannot be one of a folder.
        """
        if not _NAME.fullmatch(version):
            raise RegistryError(f"model version {version!r:.80}: expected letters, digits, . _ -")
        folder, partial = self._root / version, self._root / f".{version}.partial"
        if folder.exists():
            return
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        shutil.copyfile(checkpoint, partial / "checkpoint.safetensors")
        if report.exists():
            shutil.copyfile(report, partial / "report.html")
        manifest = {**about, "version": version, "added": round(time.time(), 3)}
        write_atomically(partial / "manifest.json", json.dumps(manifest, indent=1).encode())
        for path in partial.iterdir():
            _flush(path)
        partial.rename(folder)

    def serving(self) -> Serving:
        """Return what serves.

        Raises:
            RegistryError: It is damaged, or cannot be read just now.
        """
        return self._serving.read()

    def serving_checkpoint(self, project: str) -> Path | None:
        """Return the weights that serve a project, None for those of the settings.

        Args:
            project: Label Studio's project id; empty for what serves all without their own.

        Raises:
            RegistryError: The file is damaged, or its version is gone.
        """
        version = self.serving().version(project)
        return None if version is None else self.version(version).checkpoint

    def stamp(self) -> Hashable:
        """Return what changes when `serving` does; cheap. Raises like `serving`."""
        return self._serving.stamp()

    def promote(self, version: str, *, project: str | None = None) -> None:
        """Let a version serve: one project, or all that have none of their own.

        Raises:
            RegistryError: There is none of that name.
        """
        self.version(version)
        with self._serving.changing() as histories:
            name = project or GLOBAL
            history = histories.get(name, [])
            if not history or history[-1] != version:
                histories[name] = [*history, version]

    def rollback(self, *, project: str | None = None) -> str | None:
        """Let the version before serve again, and return it; None for the settings' checkpoint.

        Raises:
            RegistryError: Nothing was promoted.
        """
        with self._serving.changing() as histories:
            name = project or GLOBAL
            if not histories.get(name):
                raise RegistryError(f"{name}: nothing was promoted, so nothing can be rolled back")
            histories[name] = histories[name][:-1]
            return histories[name][-1] if histories[name] else None

    def delete(self, version: str) -> None:
        """Remove a version that does not serve.

        Raises:
            RegistryError: There is none of that name, or it serves.
        """
        folder = self.version(version).checkpoint.parent
        with self._serving.changing() as histories:
            for name, history in histories.items():
                if history and history[-1] == version:
                    raise RegistryError(f"model version {version}: serves ({name}), roll it back")
                histories[name] = [other for other in history if other != version]
            gone = folder.with_name(f".{folder.name}.deleted")
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _read(self, folder: Path) -> ModelVersion:
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            if not isinstance(manifest, dict):
                raise ValueError(f"expected an object, got {type(manifest).__name__}")
        except (OSError, ValueError) as error:
            raise RegistryError(f"{folder / 'manifest.json'}: damaged ({error})") from None
        return ModelVersion(
            version=folder.name,
            checkpoint=folder / "checkpoint.safetensors",
            report=folder / "report.html",
            manifest=manifest,
        )


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
