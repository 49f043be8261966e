"""A folder that appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mfp_model.errors import ConfigError

_MOUNTS = Path("/proc/self/mountinfo")  # Linux'
_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")


class WholeFolder:
    """Builds a folder beside its place and renames it when it is done.

    What was built so far stays after a failure, for the next try to go on with.
    """

    def __init__(self, path: Path, *, mark: str, parts: Iterable[str]) -> None:
        """Prepare to build.

        Args:
            path: The folder.
            mark: A file that tells that a folder there is an earlier one, and may be replaced.
            parts: What else one has in it. Anything of another name is somebody else's.
        """
        self._path = path.resolve()  # of a link, the folder that it leads to is replaced
        self._mark = mark
        self._parts = (mark, *parts)

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give the folder to build in, and publish it in the end.

        Raises:
            ConfigError: The place holds something else or cannot be renamed, or somebody else is
                building.
        """
        path = self._path
        self.check()
        partial, old = (path.with_name(f".{path.name}.{what}") for what in ("partial", "old"))
        lock = self._held(partial)
        try:
            if old.exists() and not path.exists():  # cut between the two renames
                old.rename(path)
            yield partial
            self.check()  # hours later
            shutil.rmtree(old, ignore_errors=True)
            if path.exists():
                path.rename(old)
            partial.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            os.close(lock)

    def _held(self, partial: Path) -> int:
        """A handle that locks the folder of this name, which is made where there is none."""
        while True:
            with suppress(FileNotFoundError, FileExistsError):  # another one publishes it just now
                if not partial.is_dir():
                    partial.mkdir(parents=True)
                lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(lock), partial.stat()):
                        return lock
                except BlockingIOError:
                    os.close(lock)
                    raise ConfigError(
                        f"{self._path}: is being written by another process"
                    ) from None
                except FileNotFoundError:
                    pass
                os.close(lock)
            if _is_in_the_way(partial):
                raise ConfigError(f"{partial}: is no folder, expected a folder or nothing")

    def check(self) -> None:
        """Look at the place before what is built is computed.

        Raises:
            ConfigError: It holds something else, or cannot be made or renamed.
        """
        path = self._path
        if _is_mounted(path):
            raise ConfigError(
                f"{path}: something is mounted there, so it cannot be replaced as a whole; name a "
                "folder in it"
            )
        there = next(folder for folder in path.parents if os.path.exists(folder))
        if not os.access(there, os.W_OK | os.X_OK):
            raise ConfigError(f"{path}: nothing can be written in {there}; name another folder")
        try:
            names = {entry.name for entry in path.iterdir()}
        except FileNotFoundError:
            return
        except NotADirectoryError:
            names = {path.name}
        if names and self._mark not in names:
            raise ConfigError(f"{path}: exists and is not empty; name another folder, or remove it")
        others = sorted(name for name in names if not self._is_part(name))
        if others:
            raise ConfigError(
                f"{path}: has {', '.join(others):.200} in it, which would be removed with what is "
                "replaced; move that, or name another folder"
            )

    def _is_part(self, name: str) -> bool:
        """Whether a name is that of a part, of one that was being written, or a system's own."""
        return name in (*self._parts, *_SYSTEMS) or name.startswith(
            tuple(f".{part}." for part in self._parts)
        )


def _is_in_the_way(path: Path) -> bool:
    """Whether something lies there that can become no folder, a link to nothing as well."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode) and not path.is_dir()
    except FileNotFoundError:
        return False


def _is_mounted(path: Path) -> bool:
    """Whether it is a mount point; `os.path.ismount` misses a folder of the same disk (bind)."""
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return path.is_mount()
    return os.fsencode(path) in (_plain(mount.split()[4]) for mount in mounts)


def _plain(name: bytes) -> bytes:
    """A mount's name with the spaces that Linux writes as numbers."""
    return re.sub(rb"\\([0-7]{3})", lambda escape: bytes([int(escape[1], 8)]), name)
