"""A bucket of files that several machines share: S3 and what speaks like it, through fsspec."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.storage.errors import StorageError
from mfp_model.errors import ConfigError

_NAME = "MFP_BUCKET"
_S3: dict[str, object] = {
    "connect_timeout": 5,
    "read_timeout": 10,
    "retries": {"max_attempts": 1},
    "request_checksum_calculation": "when_required",  # by default not all servers understand them
}
_LIMIT_S = 30.0  # of a write: botocore's limits begin only after it was sent
_SLOWEST_BYTES_PER_S = 250_000
_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "s3": {"config_kwargs": _S3},
    "file": {"auto_mkdir": True},
}


class Bucket:
    """Files by key, in a folder of a bucket; any thread and any forked process may use it.

    Nothing is remembered: each call asks the bucket.
    """

    def __init__(self, url: str) -> None:
        """Prepare; the bucket is not called.

        Args:
            url: `s3://BUCKET/FOLDER`. Keys to it and another endpoint are where botocore looks for
                them, as `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_ENDPOINT_URL`.

        Raises:
            ConfigError: The package that speaks with it is not installed, or there is no such kind.
        """
        self._url = url.rstrip("/")
        self._opened: tuple[int, Any, str] | None = None
        self._inherited: list[Any] = []  # what the parents of this process opened
        try:
            self._files()
        except ImportError as error:
            raise ConfigError(f"{_NAME}={url}: {error}; pip install '.[s3]'") from None
        except ValueError as error:
            raise ConfigError(f"{_NAME}={url}: {error}") from None

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    @property
    def _is_s3(self) -> bool:
        return self._url.startswith("s3:")

    def check(self) -> None:
        """See that it can be written. Raises like `stamps`."""
        self.write(".probe", b"")
        self.remove(".probe")

    def stamps(self, pattern: str) -> Mapping[str, str]:
        """Return the keys that fit a pattern, each with what changes when its content does.

        Args:
            pattern: A key in which `*` stands for any name without slashes.

        Raises:
            StorageError: The bucket cannot be used.
        """
        folder = pattern.partition("*")[0].rpartition("/")[0]
        fits = re.compile("[^/]+".join(map(re.escape, pattern.split("*"))))
        with self._using() as (files, root):
            listing = files.find(f"{root}/{folder}".rstrip("/"), detail=True)
            entries = {path.removeprefix(f"{root}/"): entry for path, entry in listing.items()}
            return {
                key: str(entry.get("ETag") or (entry.get("mtime"), entry.get("size")))
                for key, entry in entries.items()
                if fits.fullmatch(key)
            }

    def read(self, key: str) -> bytes | None:
        """Return a file's content, None where there is none. Raises like `stamps`."""
        with self._using() as (files, root):
            try:
                content: bytes = files.cat_file(f"{root}/{key}")
            except FileNotFoundError:
                return None
            return content

    def write(self, key: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises like `stamps`."""
        with self._using() as (files, root):
            files.pipe_file(f"{root}/{key}", content, **self._limit(len(content)))

    def upload(self, path: Path, key: str) -> None:
        """Copy a file into the bucket. Raises like `stamps`."""
        with self._using() as (files, root):
            files.put_file(str(path), f"{root}/{key}", **self._limit(path.stat().st_size))

    def download(self, key: str, path: Path) -> None:
        """Copy a file out of the bucket. Raises like `stamps`, also where there is none."""
        with self._using() as (files, root):
            files.get_file(f"{root}/{key}", str(path))

    def remove(self, key: str) -> None:
        """Remove a file; one that is not there is no error. Raises like `stamps`."""
        with self._using() as (files, root):
            try:
                files.rm_file(f"{root}/{key}")
            except FileNotFoundError:
                return

    def _limit(self, n_bytes: int) -> Mapping[str, float]:
        if not self._is_s3:
            return {}
        return {"timeout": _LIMIT_S + n_bytes / _SLOWEST_BYTES_PER_S}

    @contextmanager
    def _using(self) -> Iterator[tuple[Any, str]]:
        try:
            yield self._files()
        except Exception as error:  # each kind of bucket has errors of its own
            raise StorageError(f"{_NAME}={self._url}: {_reason(error)}") from error

    def _files(self) -> tuple[Any, str]:
        """Fsspec's file system and the folder in it; a forked process opens its own."""
        if self._opened is None or self._opened[0] != os.getpid():
            from fsspec.core import url_to_fs

            options = _OPTIONS.get(self._url.partition(":")[0], {})
            files, root = url_to_fs(
                self._url, use_listings_cache=False, skip_instance_cache=True, **options
            )
            if self._is_s3:
                files.retries = 1  # botocore tries twice; s3fs would do that five times
            if self._opened is not None:  # closing it would break the connections of the parent
                self._inherited.append(self._opened[1])
            self._opened = os.getpid(), files, root.rstrip("/")
        return self._opened[1:]


def _reason(error: Exception) -> str:
    """What S3 answered, with its code, as not all servers add words; else the error's text."""
    answer = error.__cause__ if hasattr(error.__cause__, "response") else error
    return str(answer) or type(error).__name__
