"""A thread-safe cache bounded in bytes and age, least recently used out first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_LOOK_SHARE = 0.01  # of the age

OnUse = Callable[[bool, int], None]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Value]):
    value: _Value
    n_bytes: int
    stored_at: float


class BoundedCache(Generic[_Key, _Value]):
    """Keeps values up to a number of bytes; what is larger than that is never kept.

    Age counts from when a value was stored, however often it was used since.
    """

    def __init__(
        self, *, max_bytes: int, max_age_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Key, _Entry[_Value]] = OrderedDict()
        self._next_look = -float("inf")
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Bytes held now."""
        return self._n_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _Key) -> _Value | None:
        """Return the value kept under a key, which is thereby used, or None."""
        with self._lock:
            self._drop_old()
            entry = self._entries.get(key)
            if entry is None or self._is_old(entry):
                return None
            self._entries.move_to_end(key)
            return entry.value

    def put(self, key: _Key, value: _Value, n_bytes: int) -> None:
        """Keep a value, dropping older ones as needed."""
        with self._lock:
            self._drop(key)
            if n_bytes > self._max_bytes:
                return
            self._entries[key] = _Entry(value, n_bytes, self._clock())
            self._n_bytes += n_bytes
            self._drop_old()
            while self._n_bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self._n_bytes = 0

    def _drop(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._n_bytes -= entry.n_bytes

    def _drop_old(self) -> None:
        """Look at every entry's age, but not at every use."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SHARE * self._max_age_s
        for key in [key for key, entry in self._entries.items() if self._is_old(entry)]:
            self._drop(key)

    def _is_old(self, entry: _Entry[_Value]) -> bool:
        return entry.stored_at < self._clock() - self._max_age_s
