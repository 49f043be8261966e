"""What all workers keep for some days in SQLite.

Answers come first: where the file cannot be read or written, that is only logged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from backend.storage.database import SharedFile

KEPT_S = 2 * 24 * 3600.0  # from one working day to the next

_log = logging.getLogger(__name__)
_TRIM_EVERY = 1000  # writes of one worker
_WAIT_S = 1.0  # for another worker's write


class Kept:
    """Rows in a file that outlives the server; any thread may use it."""

    def __init__(
        self,
        path: Path | None,
        schema: str,
        *,
        failure: str,
        trim_every: int = _TRIM_EVERY,
    ) -> None:
        """Open the file, or make it.

        Args:
            path: The file; None keeps all in memory, for one process.
            schema: Statements that make its tables where they are missing.
            failure: What the log says when it cannot be read or written.
            trim_every: Writes after which old rows go.
        """
        self._failure = failure
        self._trim_every = trim_every
        self._n_written = 0
        try:
            self._file = SharedFile(path, schema, wait_s=_WAIT_S)
        except (sqlite3.OperationalError, OSError) as error:  # as on a full disk
            _log.error("%s: %s cannot be opened (%s): kept in memory only", failure, path, error)
            self._file = SharedFile(None, schema)

    def write(
        self,
        statement: str,
        rows: Iterable[Sequence[object]],
        *,
        trim: Sequence[tuple[str, object]] = (),
    ) -> None:
        """Write rows.

        Args:
            statement: With a question mark for each value of a row.
            rows: The values.
            trim: What drops old rows, now and then: statements, each with its value.
        """
        try:
            with self._file.using() as database:
                database.executemany(statement, rows)
                self._n_written += 1
                if self._n_written % self._trim_every == 0:
                    for drop, limit in trim:
                        database.execute(drop, (limit,))
        except sqlite3.Error as error:
            _log.warning("%s: %s", self._failure, error)

    def read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none where they cannot be read."""
        try:
            with self._file.using() as database:
                return database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            _log.warning("%s: %s", self._failure, error)
            return []
