"""Which version each object was begun on, so that it is finished on the same.

Label Studio's requests tell nothing of it, so it is kept by the ids of the object's points, in a
file that all workers share and that outlives them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from backend.storage.bounded_cache import BoundedCache
from backend.storage.kept import KEPT_S, Kept

_CACHE_BYTES = 2_000_000
_POINT_BYTES = 200
_SCHEMA = "CREATE TABLE IF NOT EXISTS begun (point TEXT PRIMARY KEY, version TEXT, at REAL)"


class BegunVersions:
    """Versions by point id."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it; None keeps all in memory, for one process."""
        self._clock = clock
        self._cache: BoundedCache[str, str] = BoundedCache(max_bytes=_CACHE_BYTES, max_age_s=KEPT_S)
        self._kept = Kept(
            path, _SCHEMA, failure="the version that an object was begun on is not known"
        )

    def version(self, point_ids: frozenset[str]) -> str | None:
        """Return the version of the object that has one of these points, None for a new one."""
        for point in point_ids:
            cached = self._cache.get(point)
            if cached is not None:
                return cached
        marks = ", ".join("?" * len(point_ids))
        rows = self._kept.read(
            f"SELECT version FROM begun WHERE point IN ({marks}) ORDER BY at LIMIT 1", *point_ids
        )
        return str(rows[0][0]) if rows else None

    def remember(self, point_ids: frozenset[str], version: str) -> None:
        """Note that an object with these points is answered by a version."""
        new = [point for point in point_ids if self._cache.get(point) is None]
        if not new:
            return
        now = self._clock()
        self._kept.write(
            "INSERT OR IGNORE INTO begun VALUES (?, ?, ?)",
            [(point, version, now) for point in new],
            trim=[("DELETE FROM begun WHERE at < ?", now - KEPT_S)],
        )
        for point in new:
            self._cache.put(point, version, _POINT_BYTES)
