"""The folder in memory that a server's processes share: metrics, journal, who is ready.

It is locked as long as one of them lives, so what a killed server left behind is known by its
free lock and removed at the next start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from mfp_model.errors import ConfigError

_MEMORY_DIR = Path("/dev/shm")
_PREFIX = "label-studio-mfp-"
_LOCK = "lock"
_NEEDED_BYTES = 8 << 20
_NEW_S = 60.0  # one without a lock may just be being made


def shared_folder() -> Path:
    """Return a new folder, in memory where that is possible, locked by this process.

    Raises:
        ConfigError: There is no space for it anywhere.
    """
    failure: OSError | None = None
    for place in (_MEMORY_DIR, Path(tempfile.gettempdir())):
        try:
            clear(place)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            _lock(folder)
            (folder / "probe").write_bytes(bytes(_NEEDED_BYTES))
            (folder / "probe").unlink()
            return folder
        except OSError as error:
            failure = error
    raise ConfigError(
        f"no place for temporary files in {tempfile.gettempdir()} ({failure}): "
        "free some, or set TMPDIR to another folder"
    )


def restore(folder: Path) -> bool:
    """Make a server's folder anew where it was removed, and return whether it was.

    systemd removes what somebody has in memory when he logs out (`RemoveIPC`), and cleans `/tmp`.

    Raises:
        OSError: It cannot be made.
    """
    if (folder / _LOCK).exists():
        return False
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # refused where it is another user's
    _lock(folder)
    return True


def clear(place: Path) -> list[Path]:
    """Remove the folders of servers that are gone, and return them."""
    removed = []
    for folder in place.glob(f"{_PREFIX}*"):
        if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not _is_left(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return removed


def _lock(folder: Path) -> None:
    """Lock it for the life of this process and those that it forks."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)


def _is_left(folder: Path) -> bool:
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _NEW_S
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
