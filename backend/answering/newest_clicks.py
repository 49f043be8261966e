"""Which click of each object is the newest one, for all workers of a server.

Every request gets the next number and writes it beside its points. An older request is out of date
where one of its points has a larger number by then. The table has a fixed size in shared memory:
a point may push another one out, which then stops nothing. Nothing is stopped wrongly by that.

Requests may overtake each other on their way. One whose points are only some of those of a request
in work is older than that, though it comes later. So the table also has how many points that has.

Where several servers answer one Label Studio, numbers come from a place that all of them ask.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OVERTAKEN = 0  # the number of a request that is out of date when it comes

_log = logging.getLogger(__name__)
_N_SLOTS = 1 << 15
_NUMBER = struct.Struct("<Q")  # the last one given, at the table's beginning
# A point's key, its newest request's number, and the points of that, 0 once it is answered.
_SLOT = struct.Struct("<QQQ")  # key before number: a half-written slot is an old number's
_N_BYTES = _NUMBER.size + _N_SLOTS * _SLOT.size


class NewestClicks:
    """Numbers by task and point; any thread of any process on the same file may use it."""

    def __init__(
        self, path: Path | None = None, *, next_number: Callable[[], int] | None = None
    ) -> None:
        """Open the table, or make it.

        Args:
            path: A file in shared memory; None for one process alone. Where there is no space
                for it the process is alone, too, and the log says so.
            next_number: Returns a number that no server was given before, larger than all that
                were; None to count in the table.
        """
        self._next_number = next_number
        self._guard = threading.Lock()
        self._handle: int | None = None
        if path is not None:
            try:
                self._handle = _opened(path)
            except OSError as error:
                _log.error("a newer click stops older ones of the same worker only: %s", error)
        self._table = mmap.mmap(-1 if self._handle is None else self._handle, _N_BYTES)

    def arrive(self, task: str, point_ids: frozenset[str]) -> int:
        """Return the number of a request that has just come, larger than all before it.

        It is `OVERTAKEN` where the points are only some of those of a request in work.

        Args:
            task: Whose points they are.
            point_ids: The object's points.
        """
        number = None if self._next_number is None else self._next_number()
        keys = _keys(task, point_ids)
        with self._alone():
            if self._is_overtaken(keys):
                return OVERTAKEN
            if number is None:
                number = int(_NUMBER.unpack_from(self._table)[0]) + 1
                _NUMBER.pack_into(self._table, 0, number)
            self._write(number, keys, n_points=len(keys))
        return number

    def leave(self, number: int, task: str, point_ids: frozenset[str]) -> None:
        """Take note that a request is no longer in work; see `arrive`."""
        keys = _keys(task, point_ids)
        with self._alone():
            for key in keys:
                if self._slot(key)[:2] == (key, number):
                    self._put(key, number, n_points=0)

    def note(self, number: int, task: str, point_ids: frozenset[str]) -> None:
        """Take over a request that was given its number elsewhere; see `arrive`."""
        with self._alone():
            self._write(number, _keys(task, point_ids), n_points=0)

    def has_newer(self, number: int, task: str, point_ids: frozenset[str]) -> bool:
        """Return whether a request with one of these points has come after that number."""
        keys = _keys(task, point_ids)
        with self._alone():
            slots = [(key, self._slot(key)) for key in keys]
        return any(there == key and newest > number for key, (there, newest, _) in slots)

    def _is_overtaken(self, keys: list[int]) -> bool:
        """Whether one request in work has all of these points, and more."""
        slots = [self._slot(key) for key in keys]
        numbers = {newest for _, newest, _ in slots}
        return len(numbers) == 1 and all(
            there == key and n_points > len(keys)
            for key, (there, _, n_points) in zip(keys, slots, strict=True)
        )

    def _write(self, number: int, keys: list[int], *, n_points: int) -> None:
        for key in keys:
            there, newest, _ = self._slot(key)
            if there != key or newest < number:  # numbers from elsewhere overtake each other
                self._put(key, number, n_points=n_points)

    def _slot(self, key: int) -> tuple[int, int, int]:
        """What lies in a point's place: a key, its newest request, the points of that."""
        there, newest, n_points = _SLOT.unpack_from(self._table, _place(key))
        return int(there), int(newest), int(n_points)

    def _put(self, key: int, number: int, *, n_points: int) -> None:
        _SLOT.pack_into(self._table, _place(key), key, number, n_points)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread of one process at a time; a process that is killed holds nothing."""
        with self._guard:
            if self._handle is None:
                yield
                return
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)


def _opened(path: Path) -> int:
    """The file, its space taken: writing into a hole of a full disk would end the process."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_size < _N_BYTES:
            with open(handle, "wb", closefd=False) as file:
                file.write(bytes(_N_BYTES))
        fcntl.flock(handle, fcntl.LOCK_UN)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _keys(task: str, point_ids: frozenset[str]) -> list[int]:
    return [_key(task, point) for point in point_ids]


def _key(task: str, point: str) -> int:
    name = f"{len(task)} {task} {point}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def _place(key: int) -> int:
    return _NUMBER.size + key % _N_SLOTS * _SLOT.size
