"""Locks between the processes of one machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process holds a folder, which is made where there is none; hold it."""
    folder.mkdir(parents=True, exist_ok=True)
    with _held(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX):
        yield


@contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a file that is there for nothing else.

    Args:
        path: The file, which is made where there is none.
        kind: As `fcntl.flock` takes it.

    Raises:
        BlockingIOError: `kind` has `LOCK_NB`, and another process holds it.
    """
    with _held(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), kind):
        yield


@contextmanager
def by_turns(path: Path, *, on_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a file that is only read, as far as its file system has locks for that.

    Args:
        path: The file, which is there.
        on_waiting: Called before another process that holds it is waited for.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # NFS locks only what may be written
            pass
        yield
    finally:
        os.close(handle)


@contextmanager
def _held(handle: int, kind: int) -> Iterator[None]:
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)
