"""Versions of the weights: checkpoints with manifests, and which of them serve.

Where nothing is promoted, the checkpoint of the settings serves. Several machines mount one folder
of versions or use one bucket, and keep in their database what serves.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from backend.models.serving import (
    GLOBAL,
    RegistryError,
    Serving,
    ServingFile,
    ServingStore,
    ServingTable,
    scope_words,
)
from backend.models.version import ModelVersion, check_name, is_name, version_of
from backend.models.version_bucket import VersionBucket
from backend.models.version_files import (
    CHECKPOINT,
    MANIFEST,
    REPORT,
    VersionFiles,
    VersionFolder,
    unknown,
)
from backend.storage.locks import alone
from backend.storage.shared_state import SharedState
from mfp_model.files import write_atomically
from mfp_model.fine_tuning.job import manifest_in
from mfp_model.weights.checking import check_weights

_log = logging.getLogger(__name__)


def model_registry(state: SharedState) -> ModelRegistry:
    """Return the versions of a data folder, or of the bucket of several machines."""
    data, bucket = state.data, state.bucket
    return ModelRegistry(
        VersionFolder(data.models) if bucket is None else VersionBucket(bucket, data.copies),
        ServingFile(data.models) if state.server is None else ServingTable(state.server),
    )


class ModelRegistry:
    """The versions, and which of them serve."""

    def __init__(self, files: VersionFiles, serving: ServingStore) -> None:
        """Open them.

        Args:
            files: Where their files lie.
            serving: Where it is kept what serves.
        """
        self._files = files
        self._serving = serving

    def versions(self) -> list[ModelVersion]:
        """Return all versions, oldest first; a damaged one is left out and logged.

        Raises:
            RegistryAwayError: They cannot be listed just now.
        """
        versions = []
        for name, entry in self._files.entries().items():
            try:
                versions.append(version_of(name, entry))
            except RegistryError as error:
                _log.error("left out: %s", error)
        return sorted(versions, key=lambda version: (version.added, version.version))

    def names(self) -> set[str]:
        """Return the names of all versions. Raises like `versions`."""
        return self._files.names()

    def version(self, name: str) -> ModelVersion:
        """Return a version.

        Raises:
            RegistryError: There is none of that name.
        """
        entry = self._files.entries(name).get(name) if is_name(name) else None
        if entry is None:
            raise unknown(name)
        return version_of(name, entry)

    def checkpoint(self, name: str) -> Path:
        """Return a file of this machine with a version's weights. Raises like `version`."""
        if not is_name(name):
            raise unknown(name)
        return self._files.checkpoint(name)

    def report(self, name: str) -> bytes | None:
        """Return a version's page, HTML, or None where it has none. Raises like `version`."""
        return self._files.report(name) if self.version(name).has_report else None

    def add_file(self, checkpoint: Path) -> str:
        """Put a checkpoint among the versions, with what `mfp fine-tune` wrote beside it.

        Returns:
            Its version.

        Raises:
            CheckpointError: The file is damaged, or no weights of ours.
            RegistryError: Another checkpoint of this version is there.
        """
        version = check_weights(checkpoint)
        is_there = version in self.names()
        if is_there and self.checkpoint(version).read_bytes() != checkpoint.read_bytes():
            raise RegistryError(f"model version {version!r}: exists already with other weights")
        about = manifest_in(checkpoint.with_suffix(".json")) or {}
        report: Path | None = checkpoint.with_suffix(".report.html")
        if about.get("version", version) != version:  # as mine.1 and mine.2 have one name for both
            about, report = {}, None
        self.add(version, checkpoint, report, about)
        return version

    def add(
        self, version: str, checkpoint: Path, report: Path | None, about: Mapping[str, Any]
    ) -> None:
        """Add a version, whole or not at all; one that is there is kept.

        A report that does not exist is left out.

        Raises:
            RegistryError: The name cannot be one of a folder.
        """
        check_name(version)
        with alone(self._files.room / ".adding"):
            if version in self.names():
                return
            made = self._files.room / f".{version}.partial"
            shutil.rmtree(made, ignore_errors=True)  # of one that was killed
            try:
                made.mkdir()
                shutil.copyfile(checkpoint, made / CHECKPOINT)
                if report is not None and report.exists():
                    shutil.copyfile(report, made / REPORT)
                manifest = {**about, "version": version, "added": round(time.time(), 3)}
                write_atomically(made / MANIFEST, json.dumps(manifest, indent=1).encode())
                self._files.keep(version, made)
            finally:
                shutil.rmtree(made, ignore_errors=True)  # a full disk has no room for half of one

    def serving(self) -> Serving:
        """Return what serves.

        Raises:
            RegistryError: It is damaged.
            RegistryAwayError: It cannot be read just now.
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
        return None if version is None else self.checkpoint(version)

    def stamp(self) -> Hashable:
        """Return what changes when `serving` does; cheap. Raises like `serving`."""
        return self._serving.stamp()

    def promote(self, version: str, *, project: str | None = None) -> None:
        """Let a version serve: one project, or all that have none of their own.

        Raises:
            RegistryError: There is none of that name.
        """
        with self._serving.changing() as histories:
            self.version(version)  # nobody deletes it meanwhile
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
                raise RegistryError(
                    f"{scope_words(name)}: nothing was promoted, so nothing can be rolled back"
                )
            histories[name] = histories[name][:-1]
            return histories[name][-1] if histories[name] else None

    def delete(self, version: str) -> None:
        """Remove a version that does not serve.

        Raises:
            RegistryError: There is none of that name, or it serves.
        """
        with self._serving.changing() as histories:
            self.version(version)  # nobody else deletes it meanwhile
            for name, history in histories.items():
                if history and history[-1] == version:
                    raise RegistryError(f"model version {version}: serves ({name}), roll it back")
                histories[name] = [other for other in history if other != version]
            self._files.remove(version)
