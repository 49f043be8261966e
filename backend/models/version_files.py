"""Where the files of versions lie, a folder of files for each.

VERSION/manifest.json             what is known of it; the last one written
VERSION/checkpoint.safetensors    its weights
VERSION/report.html               its page; it may be missing
"""

from __future__ import annotations

import logging
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.models.serving import RegistryError

CHECKPOINT, MANIFEST, REPORT = "checkpoint.safetensors", "manifest.json", "report.html"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """A version that is there.

    Attributes:
        manifest: Content of the file.
        has_report: Whether it has a page.
    """

    manifest: bytes
    has_report: bool


class VersionFiles(ABC):
    """A folder of files for each version, which is there as soon as its manifest is."""

    @abstractmethod
    def names(self) -> set[str]:
        """Return all versions.

        Raises:
            RegistryAwayError: They cannot be listed just now.
        """

    @abstractmethod
    def entries(self, name: str = "*") -> Mapping[str, VersionEntry]:
        """Return all versions, or the one of a name if it is there. Raises like `names`."""

    @abstractmethod
    def checkpoint(self, name: str) -> Path:
        """Return a file of this machine with the weights of a version.

        Raises:
            RegistryError: There is no such version.
            RegistryAwayError: It cannot be read just now.
        """

    @abstractmethod
    def report(self, name: str) -> bytes | None:
        """Return a version's page, None where it has none. Raises like `names`."""

    @abstractmethod
    def keep(self, name: str, made: Path) -> None:
        """Take over a folder with a version's files, whole or not at all.

        Args:
            name: The version, which is not there yet.
            made: The folder, which is gone then; it lies in `room`.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a version. Raises like `names`."""

    @property
    @abstractmethod
    def room(self) -> Path:
        """A folder of this machine where versions can be made."""


class VersionFolder(VersionFiles):
    """A folder, which several machines may mount."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def room(self) -> Path:
        """The folder itself."""
        return self._root

    def names(self) -> set[str]:
        """Return all versions."""
        return {path.parent.name for path in self._manifests("*")}

    def entries(self, name: str = "*") -> Mapping[str, VersionEntry]:
        """Return all versions, or one; one that cannot be read is left out, and logged."""
        entries = {}
        for path in self._manifests(name):
            try:
                manifest = path.read_bytes()
            except OSError as error:
                _log.error("left out: %s: damaged (%s)", path, error)
                continue
            has_report = (path.parent / REPORT).is_file()
            entries[path.parent.name] = VersionEntry(manifest=manifest, has_report=has_report)
        return entries

    def checkpoint(self, name: str) -> Path:
        """Return the file in the folder."""
        if not (self._root / name / MANIFEST).is_file():
            raise unknown(name)
        return self._root / name / CHECKPOINT

    def report(self, name: str) -> bytes | None:
        """Return a version's page."""
        try:
            return (self._root / name / REPORT).read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, name: str, made: Path) -> None:
        """Take over a folder with one rename."""
        for path in made.iterdir():
            flush(path)
        made.rename(self._root / name)

    def remove(self, name: str) -> None:
        """Remove a version; its name is free at once."""
        gone = self._root / f".{name}.deleted"
        shutil.rmtree(gone, ignore_errors=True)  # of an earlier one that was cut
        (self._root / name).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _manifests(self, name: str) -> list[Path]:
        """Those of versions, and not of folders that are half made or half removed."""
        manifests = self._root.glob(f"{name}/{MANIFEST}")
        return [path for path in manifests if not path.parent.name.startswith(".")]


def unknown(name: str) -> RegistryError:
    """Return the error for a version that is not there."""
    return RegistryError(f"model version {name!r:.80}: unknown")


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
