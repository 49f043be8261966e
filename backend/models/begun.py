"""Which version each object was begun on, so that it is finished on the same.

Label Studio's requests tell nothing of it, so it is kept by the ids of the object's points, in a
file that all workers share and that outlives them.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.storage.bounded_cache import BoundedCache
from backend.storage.database import open_database

_log = logging.getLogger(__name__)
_KEPT_S = 2 * 24 * 3600.0
_TRIM_EVERY = 1000  # rows written by one worker
_WAIT_S = 1.0
_CACHE_BYTES = 2_000_000
_POINT_BYTES = 200
_SCHEMA = "CREATE TABLE IF NOT EXISTS begun (point TEXT PRIMARY KEY, version TEXT, at REAL)"


class RegionVersions:
    """Versions by point id; what cannot be read or written is only logged: answers come first."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it; None keeps all in memory, for one process."""
        self._clock = clock
        self._lock = threading.Lock()
        self._n_written = 0
        self._known: BoundedCache[str, str] = BoundedCache(
            max_bytes=_CACHE_BYTES, max_age_s=_KEPT_S
        )
        self._database = open_database(self, path, _SCHEMA, wait_s=_WAIT_S)

    def version(self, point_ids: frozenset[str]) -> str | None:
        """Return the version of the object that has one of these points, None for a new one."""
        for point in point_ids:
            known = self._known.get(point)
            if known is not None:
                return known
        marks = ", ".join("?" * len(point_ids))
        row = None
        try:
            with self._lock:
                row = self._database.execute(
                    f"SELECT version FROM begun WHERE point IN ({marks}) ORDER BY at LIMIT 1",
                    tuple(point_ids),
                ).fetchone()
        except sqlite3.Error as error:
            _log.warning("the version that an object was begun on cannot be read: %s", error)
        return None if row is None else str(row[0])

    def remember(self, point_ids: frozenset[str], version: str) -> None:
        """Note that an object with these points is answered by a version."""
        new = [point for point in point_ids if self._known.get(point) is None]
        if not new:
            return
        now = self._clock()
        try:
            with self._lock:
                self._database.executemany(
                    "INSERT OR IGNORE INTO begun VALUES (?, ?, ?)",
                    [(point, version, now) for point in new],
                )
                self._n_written += 1
                if self._n_written % _TRIM_EVERY == 0:
                    self._database.execute("DELETE FROM begun WHERE at < ?", (now - _KEPT_S,))
        except sqlite3.Error as error:
            _log.warning("the version that an object was begun on cannot be kept: %s", error)
        for point in new:
            self._known.put(point, version, _POINT_BYTES)
