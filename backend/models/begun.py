"""Which version each object was begun on, so that it is finished on the same.

Label Studio's requests tell nothing of it, so it is kept by the ids of the object's points, in a
database that all workers share and that outlives them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import bindparam, delete, select

from backend.storage.bounded_cache import BoundedCache
from backend.storage.database import Database
from backend.storage.kept import KEPT_S, Kept, kept_file
from backend.storage.tables import REGIONS, begun

_CACHE_BYTES = 2_000_000
_POINT_BYTES = 200
_FAILURE = "the version that an object was begun on is not known"
_FIRST = (
    select(begun.c.version)
    .where(begun.c.point.in_(bindparam("points", expanding=True)))
    .order_by(begun.c.at)
    .limit(1)
)


class BegunVersions:
    """Versions by point id."""

    def __init__(
        self, database: Database | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep them in a database; None keeps all in memory, for one process."""
        self._clock = clock
        self._cache: BoundedCache[str, str] = BoundedCache(max_bytes=_CACHE_BYTES, max_age_s=KEPT_S)
        self._kept = Kept(database or kept_file(None, REGIONS, failure=_FAILURE), failure=_FAILURE)
        self._insert = self._kept.database.insert(begun).on_conflict_do_nothing()

    def version(self, point_ids: frozenset[str]) -> str | None:
        """Return the version of the object that has one of these points, None for a new one."""
        for point in point_ids:
            cached = self._cache.get(point)
            if cached is not None:
                return cached
        rows = self._kept.read(_FIRST, points=list(point_ids))
        return str(rows[0][0]) if rows else None

    def remember(self, point_ids: frozenset[str], version: str) -> None:
        """Note that an object with these points is answered by a version."""
        new = [point for point in sorted(point_ids) if self._cache.get(point) is None]
        if not new:
            return
        now = self._clock()
        self._kept.write(
            self._insert,
            [{"point": point, "version": version, "at": now} for point in new],
            trim=lambda: [delete(begun).where(begun.c.at < now - KEPT_S)],
        )
        for point in new:
            self._cache.put(point, version, _POINT_BYTES)
