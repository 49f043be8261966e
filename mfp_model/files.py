"""Files written whole or not at all, read as JSON, and told apart by their content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers and crashes see the old content or the new, never a part."""
    with _writing(path, "wb") as file:
        file.write(content)


@contextmanager
def writing_atomically(path: Path) -> Iterator[IO[str]]:
    """Give a text file to write piece by piece, which appears under its name when it is whole."""
    with _writing(path, "w") as file:
        yield file


@contextmanager
def _writing(path: Path, mode: str) -> Iterator[IO[Any]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk does not say where
        raise


def is_empty(path: Path) -> bool:
    """Return whether a file is not there, or nothing is in it, as where the disk was full."""
    return not path.exists() or path.stat().st_size == 0


def parsed_json(content: str | bytes) -> Any:  # noqa: ANN401, JSON of any form
    """Return what JSON says that comes from outside.

    Raises:
        ValueError: It is none, or nested too deep to be read.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
