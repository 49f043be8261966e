"""What all workers keep for some days.

Answers come first: where the database cannot be read or written, that is only logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Delete, Executable

from backend.storage.database import AnyRow, Database
from backend.storage.errors import StorageError
from backend.storage.file_database import FileDatabase
from backend.storage.tables import Part

KEPT_S = 2 * 24 * 3600.0  # from one working day to the next

_log = logging.getLogger(__name__)
_TRIM_EVERY = 1000  # writes of one worker
_TRIM_AFTER_S = 3600.0
_WAIT_S = 1.0  # for another worker's write


def kept_file(path: Path | None, part: Part, *, failure: str) -> FileDatabase:
    """Return a file, or what is kept in memory where it cannot be written, which is logged.

    Args:
        path: The file; None keeps all in memory, for one process.
        part: What it holds.
        failure: What the log says.

    Raises:
        ConfigError: A newer version of this program has made it.
    """
    try:
        return FileDatabase(path, part, wait_s=_WAIT_S)
    except (StorageError, OSError) as error:  # as on a full disk
        _log.error("%s: %s: kept in memory only", failure, error)
        return FileDatabase(None, part)


class Kept:
    """Rows that outlive the server; any thread may use it."""

    def __init__(
        self,
        database: Database,
        *,
        failure: str,
        trim_every: int = _TRIM_EVERY,
        trim_after_s: float = _TRIM_AFTER_S,
    ) -> None:
        """Keep them in a database.

        Old rows go with the first write that says which, and then when one of the two limits
        is reached.

        Args:
            database: Where.
            failure: What the log says when it cannot be read or written.
            trim_every: Writes after which old rows go.
            trim_after_s: Seconds after which they go with the next write.
        """
        self.database = database
        self._failure = failure
        self._trim_every = trim_every
        self._trim_after_s = trim_after_s
        self._n_written = 0
        self._trimmed_at = float("-inf")

    def write(
        self,
        statement: Executable,
        rows: Sequence[Mapping[str, object]],
        *,
        trim: Callable[[], Sequence[Delete]] | None = None,
    ) -> None:
        """Write rows.

        Args:
            statement: What writes one, the same object each time.
            rows: Their values.
            trim: Gives what drops old rows; None for a write that makes none.
        """
        try:
            self.database.write((statement, rows))
            self._n_written += 1
            if trim is not None and self._trims_now():
                with self.database.using() as connection:
                    for drop in trim():
                        connection.execute(drop)
        except StorageError as error:
            _log.warning("%s: %s", self._failure, error)

    def _trims_now(self) -> bool:
        now = time.monotonic()
        is_long_ago = now - self._trimmed_at >= self._trim_after_s
        trims = is_long_ago or self._n_written % self._trim_every == 0
        if trims:
            self._trimmed_at = now
        return trims

    def read(self, statement: Executable, **values: object) -> Sequence[AnyRow]:
        """Return the rows of a query; none where they cannot be read.

        Args:
            statement: The query, the same object each time.
            values: Of its parameters.
        """
        try:
            return self.database.read(statement, values)
        except StorageError as error:
            _log.warning("%s: %s", self._failure, error)
            return []
