"""The newest clicks and errors, shared by a server's workers, for the status page."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Delete, Insert, bindparam, delete, func, insert, select

from backend.storage.database import Database
from backend.storage.kept import Kept, kept_file
from backend.storage.letters import storable_text
from backend.storage.tables import JOURNAL, journal_clicks, journal_errors, journal_starts

_MAX_ROWS = 20_000
_TRIM_EVERY = 500  # rows written by one worker
_FAILURE = "the status page misses an entry"
_NEWEST_ERRORS = (
    select(
        journal_errors.c.at,
        journal_errors.c.kind,
        journal_errors.c.message,
        journal_errors.c.request_id,
    )
    .order_by(journal_errors.c.id.desc())
    .limit(bindparam("n"))
)
_CLICKS = select(journal_clicks.c.at, journal_clicks.c.ms).where(
    journal_clicks.c.at >= bindparam("since")
)
_START = select(journal_starts.c.at).where(journal_starts.c.server == bindparam("server"))
_ADD_CLICK, _ADD_ERROR = insert(journal_clicks), insert(journal_errors)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """The clicks of some minutes.

    Attributes:
        each: Each minute, oldest first; the last one goes on.
        median_ms: Of all clicks together, None where there were none.
    """

    each: tuple[Minute, ...] = ()
    median_ms: float | None = None


class Journal:
    """Clicks and errors, the newest of each."""

    def __init__(
        self,
        database: Database | None = None,
        *,
        server: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep it in a database; None keeps it in memory, for one process.

        Args:
            database: Where.
            server: Which of several this is.
            clock: Seconds since 1970.
        """
        self._clock = clock
        self._server = server
        self._kept = Kept(
            database or kept_file(None, JOURNAL, failure=_FAILURE),
            failure=_FAILURE,
            trim_every=_TRIM_EVERY,
        )
        start = self._kept.database.insert(journal_starts).on_conflict_do_nothing()
        self._kept.write(start, [{"server": server, "at": clock()}])

    def note_click(self, *, ms: float) -> None:
        """Note a click answered after so many milliseconds."""
        self._write(_ADD_CLICK, ms=ms)

    def note_error(self, *, kind: str, message: str, request_id: str) -> None:
        """Note an error."""
        message = storable_text(message)
        self._write(_ADD_ERROR, kind=kind, message=message, request_id=request_id)

    def uptime_s(self) -> float:
        """Return the seconds since the server started."""
        rows = self._kept.read(_START, server=self._server)
        return self._clock() - float(rows[0][0]) if rows else 0.0

    def errors(self, n: int) -> list[JournalError]:
        """Return the newest errors, newest first."""
        rows = self._kept.read(_NEWEST_ERRORS, n=n)
        return [JournalError(at=r[0], kind=r[1], message=r[2], request_id=r[3]) for r in rows]

    def minutes(self, n: int) -> Minutes:
        """Return the clicks of the clock's last n minutes.

        A click stays in the minute of the clock in which it was answered. So what is told of a
        minute changes by clicks only.
        """
        first = int(self._clock() // 60) - n + 1
        clicks = self._kept.read(_CLICKS, since=60 * first)
        by_minute: defaultdict[int, list[float]] = defaultdict(list)
        for at, ms in clicks:
            by_minute[int(at // 60)].append(ms)
        return Minutes(
            each=tuple(_minute(by_minute[minute]) for minute in range(first, first + n)),
            median_ms=statistics.median(ms for _, ms in clicks) if clicks else None,
        )

    def _write(self, statement: Insert, **values: object) -> None:
        self._kept.write(statement, [{"at": self._clock(), **values}], trim=_old)


def _old() -> list[Delete]:
    starts = select(journal_starts.c.at).order_by(journal_starts.c.at.desc())
    too_many = starts.offset(_MAX_ROWS).limit(1).scalar_subquery()
    return [
        delete(journal_starts).where(journal_starts.c.at <= too_many),
        *(
            delete(table).where(
                table.c.id <= select(func.max(table.c.id)).scalar_subquery() - _MAX_ROWS
            )
            for table in (journal_clicks, journal_errors)
        ),
    ]


def _minute(times_ms: list[float]) -> Minute:
    if not times_ms:
        return Minute(n_clicks=0, median_ms=0.0, p95_ms=0.0)
    p95 = sorted(times_ms)[min(len(times_ms) - 1, int(0.95 * len(times_ms)))]
    return Minute(n_clicks=len(times_ms), median_ms=statistics.median(times_ms), p95_ms=p95)
