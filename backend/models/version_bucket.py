"""Versions in a bucket that several machines use, with copies on each."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from backend.models.serving import RegistryAwayError
from backend.models.version_files import (
    CHECKPOINT,
    MANIFEST,
    REPORT,
    VersionEntry,
    VersionFiles,
    flush,
    unknown,
)
from backend.settings import Settings
from backend.storage.bucket import Bucket
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError
from backend.storage.locks import alone

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class VersionBucket(VersionFiles):
    """A bucket; weights that this machine uses are copied into a folder.

    Weights that were copied answer also while the bucket is away.
    """

    def __init__(self, bucket: Bucket, copies: Path) -> None:
        """Use a bucket.

        Args:
            bucket: Its keys are `models/VERSION/FILE`.
            copies: The folder of the copies, each of which can be made again.
        """
        self._bucket = bucket
        self._copies = copies
        self._read: dict[str, tuple[str, bytes]] = {}  # manifests by key, with their stamps

    @property
    def room(self) -> Path:
        """The folder of the copies."""
        return self._copies

    def names(self) -> set[str]:
        """Return all versions."""
        return {_version(key) for key in self._stamps(f"*/{MANIFEST}")}

    def entries(self, name: str = "*") -> Mapping[str, VersionEntry]:
        """Return all versions, or one; manifests that did not change are not read again."""
        try:
            stamps = self._stamps(f"{name}/*")
        except RegistryAwayError as error:
            copied = self._copied(name, error)
            return {name: VersionEntry(manifest=copied, has_report=False)}
        entries = {}
        for key, stamp in stamps.items():
            manifest = self._manifest(key, stamp) if key.endswith(f"/{MANIFEST}") else None
            if manifest is not None:
                has_report = key.replace(MANIFEST, REPORT) in stamps
                entries[_version(key)] = VersionEntry(manifest=manifest, has_report=has_report)
        return entries

    def checkpoint(self, name: str) -> Path:
        """Return this machine's copy, made now where there is none of this very version."""
        copy = self._copies / name
        try:
            manifest = _asked(partial(self._bucket.read, _key(name, MANIFEST)))
        except RegistryAwayError as error:
            self._copied(name, error)
            return copy / CHECKPOINT
        if manifest is None:
            raise unknown(name)
        if not _is_copy(copy, manifest):
            self._copy(name, manifest)
        return copy / CHECKPOINT

    def report(self, name: str) -> bytes | None:
        """Return a version's page."""
        return _asked(partial(self._bucket.read, _key(name, REPORT)))

    def keep(self, name: str, made: Path) -> None:
        """Copy a folder into the bucket, the manifest last."""
        for file in (CHECKPOINT, REPORT, MANIFEST):
            if (made / file).is_file():
                _asked(partial(self._bucket.upload, made / file, _key(name, file)))
        self._take(name, made, (made / MANIFEST).read_bytes())

    def remove(self, name: str) -> None:
        """Remove a version; copies on other machines stay, and are not used."""
        for file in (MANIFEST, CHECKPOINT, REPORT):
            _asked(partial(self._bucket.remove, _key(name, file)))
        shutil.rmtree(self._copies / name, ignore_errors=True)

    def _copied(self, name: str, error: RegistryAwayError) -> bytes:
        """The manifest of this machine's copy; without one, the error of the bucket."""
        try:
            manifest = (self._copies / name / MANIFEST).read_bytes()
        except FileNotFoundError:
            raise error from None
        _log.warning("version %s: the copy on this machine is used: %s", name, error)
        return manifest

    def _stamps(self, pattern: str) -> Mapping[str, str]:
        return _asked(partial(self._bucket.stamps, f"models/{pattern}"))

    def _manifest(self, key: str, stamp: str) -> bytes | None:
        read = self._read.get(key)
        if read is not None and read[0] == stamp:
            return read[1]
        content = _asked(partial(self._bucket.read, key))
        if content is not None:
            self._read[key] = stamp, content
        return content

    def _copy(self, name: str, manifest: bytes) -> None:
        made = self._copies / f".{name}.{os.getpid()}.{threading.get_ident()}"
        try:
            made.mkdir(parents=True, exist_ok=True)
            _asked(partial(self._bucket.download, _key(name, CHECKPOINT), made / CHECKPOINT))
            (made / MANIFEST).write_bytes(manifest)
            self._take(name, made, manifest)
        except OSError as error:
            raise RegistryAwayError(f"version {name}: cannot be copied here ({error})") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _take(self, name: str, made: Path, manifest: bytes) -> None:
        """Put a copy in its place, unless another process was faster."""
        copy = self._copies / name
        for path in made.iterdir():
            flush(path)
        with alone(self._copies):
            if not _is_copy(copy, manifest):
                shutil.rmtree(copy, ignore_errors=True)  # an older version of this name
                made.rename(copy)


def fetched(checkpoint: Path | None, settings: Settings) -> Path | None:
    """Return a checkpoint's file on this machine.

    The path may be that of another machine's copy out of the bucket: then it is copied here, too.

    Raises:
        ConfigError: The data folder cannot be written, or the bucket's kind is not installed.
        RegistryError: The version is gone.
        RegistryAwayError: It cannot be copied just now.
    """
    if checkpoint is None or not settings.bucket_url:
        return checkpoint
    copies = DataFolder(settings.data_dir).copies
    if checkpoint.parent.parent != copies:
        return checkpoint
    return VersionBucket(Bucket(settings.bucket_url), copies).checkpoint(checkpoint.parent.name)


def _is_copy(folder: Path, manifest: bytes) -> bool:
    try:
        return (folder / MANIFEST).read_bytes() == manifest
    except FileNotFoundError:
        return False


def _key(name: str, file: str) -> str:
    return f"models/{name}/{file}"


def _version(key: str) -> str:
    return key.split("/")[1]


def _asked(ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except StorageError as error:
        raise RegistryAwayError(str(error)) from error
