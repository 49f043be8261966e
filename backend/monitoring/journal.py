"""The newest clicks and errors, shared by a server's workers, for the status page."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.storage.kept import Kept

_MAX_ROWS = 20_000
_TRIM_EVERY = 500  # rows written by one worker
_SCHEMA = """
CREATE TABLE IF NOT EXISTS started (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL);
CREATE TABLE IF NOT EXISTS clicks (id INTEGER PRIMARY KEY, at REAL, ms REAL);
CREATE TABLE IF NOT EXISTS errors
    (id INTEGER PRIMARY KEY, at REAL, kind TEXT, message TEXT, request_id TEXT);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalError:
    """An error as it was noted: Unix time, kind, message, request."""

    at: float
    kind: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute's clicks: how many, and milliseconds from request to mask."""

    n_clicks: int
    median_ms: float
    p95_ms: float


class Journal:
    """Clicks and errors, the newest of each."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Open or make the journal; None keeps it in memory, for one process."""
        self._clock = clock
        self._kept = Kept(
            path,
            _SCHEMA,
            failure="the status page misses an entry",
            trim_every=_TRIM_EVERY,
        )
        self._write("INSERT OR IGNORE INTO started VALUES (1, ?)", clock())

    def note_click(self, *, ms: float) -> None:
        """Note a click answered after so many milliseconds."""
        self._write("INSERT INTO clicks (at, ms) VALUES (?, ?)", self._clock(), ms)

    def note_error(self, *, kind: str, message: str, request_id: str) -> None:
        """Note an error."""
        self._write(
            "INSERT INTO errors (at, kind, message, request_id) VALUES (?, ?, ?, ?)",
            self._clock(),
            kind,
            message,
            request_id,
        )

    def uptime_s(self) -> float:
        """Return the seconds since the server started."""
        rows = self._kept.read("SELECT at FROM started")
        return self._clock() - float(rows[0][0]) if rows else 0.0

    def errors(self, n: int) -> list[JournalError]:
        """Return the newest errors, newest first."""
        rows = self._kept.read(
            "SELECT at, kind, message, request_id FROM errors ORDER BY id DESC LIMIT ?", n
        )
        return [JournalError(at=r[0], kind=r[1], message=r[2], request_id=r[3]) for r in rows]

    def minutes(self, n: int) -> list[Minute]:
        """Return the last n minutes, oldest first."""
        now = self._clock()
        by_age: defaultdict[int, list[float]] = defaultdict(list)
        for at, ms in self._kept.read("SELECT at, ms FROM clicks WHERE at > ?", now - 60 * n):
            by_age[int((now - at) // 60)].append(ms)
        return [_minute(by_age[age]) for age in range(n - 1, -1, -1)]

    def _write(self, statement: str, *values: object) -> None:
        trim = [
            (f"DELETE FROM {table} WHERE id <= (SELECT MAX(id) FROM {table}) - ?", _MAX_ROWS)
            for table in ("clicks", "errors")
        ]
        self._kept.write(statement, [values], trim=trim)


def _minute(times_ms: list[float]) -> Minute:
    if not times_ms:
        return Minute(n_clicks=0, median_ms=0.0, p95_ms=0.0)
    p95 = sorted(times_ms)[min(len(times_ms) - 1, int(0.95 * len(times_ms)))]
    return Minute(n_clicks=len(times_ms), median_ms=statistics.median(times_ms), p95_ms=p95)
