"""What workers counted that have ended, in one file of each kind.

A worker's own files take 2 MB of memory, and one that cannot start is tried again every 30 seconds.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import sys
from collections.abc import Container
from contextlib import AbstractContextManager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

from backend.storage.locks import locked

_log = logging.getLogger(__name__)
_KINDS = ("counter", "histogram")  # those that go on with their worker's end
_LOCK = "metrics.lock"


class EndedWorkers:
    """Adds them up, in the process that starts workers."""

    def __init__(self, shared_dir: Path) -> None:
        """Prepare.

        Args:
            shared_dir: Where workers have their files.
        """
        self._shared_dir = shared_dir
        self._left: set[int] = set()

    def add(self, pid: int, living: Container[int]) -> None:
        """Note that a worker has ended; what cannot be added up now is when the next one does.

        Args:
            pid: The worker's.
            living: The workers that there are; one may have an older one's number.
        """
        mark_process_dead(pid, str(self._shared_dir))  # type: ignore[no-untyped-call]
        self._left.add(pid)
        try:
            with locked(self._shared_dir / _LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for ended in list(self._left):
                    if ended not in living:
                        self._fold(ended)
                    self._left.remove(ended)
        except BlockingIOError:  # figures are being read
            return
        except Exception as error:  # nothing of this may end the process that starts workers
            _log.warning("what ended workers counted stays in their files: %s", error)

    def _fold(self, pid: int) -> None:
        for kind in _KINDS:
            theirs = self._shared_dir / f"{kind}_{pid}.db"
            if not theirs.exists():
                continue
            if theirs.stat().st_size < mmap.PAGESIZE:  # it was ended while it wrote its first
                theirs.unlink()
                continue
            all_ended = self._shared_dir / f"{kind}_ended.db"
            sources = [path for path in (all_ended, theirs) if path.exists()]
            added = self._shared_dir / f"{kind}_ended.new"
            _add_up(sources, added)
            added.replace(all_ended)
            theirs.unlink()


def undisturbed(shared_dir: Path) -> AbstractContextManager[None]:
    """Return the context in which no files are added up, to read their figures."""
    return locked(shared_dir / _LOCK, fcntl.LOCK_SH)


def _add_up(sources: list[Path], target: Path) -> None:
    """Write the sums of all values of some files into a new one.

    It is written in full before it is mapped into memory: to write into a hole when the disk has
    become full ends the process.
    """
    entries = [
        entry
        for path in sources
        for entry in MmapedDict.read_all_values_from_file(path)  # type: ignore[no-untyped-call]
    ]
    target.write_bytes(bytes(mmap.PAGESIZE + sum(_bytes_in_use(path) for path in sources)))
    sums = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    for key, value, at, _ in entries:
        before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
        sums.write_value(key, before + value, at)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]


def _bytes_in_use(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(4), sys.byteorder)
