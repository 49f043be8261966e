"""A statement as SQLite reads it.

SQLAlchemy spends 0.1 to 0.3 ms on each run of a statement, which is more than SQLite does.
The tables have only types that SQLite's driver takes and gives as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Executable, Insert
from sqlalchemy.dialects import sqlite

_KEPT = 64  # about three times as many as there are
_DIALECT = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteText:
    """The text, and the values of parameters that the statement itself sets."""

    text: str
    fixed: Mapping[str, object]

    def values(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """Return the values of all parameters."""
        return {**self.fixed, **row} if self.fixed else row


@lru_cache(maxsize=_KEPT)
def sqlite_text(statement: Executable, columns: tuple[str, ...] = ()) -> SqliteText | None:
    """Return a statement's text; None where it depends on the number of values.

    Args:
        statement: The statement, the same object each time.
        columns: What rows of an insertion have.
    """
    keys = list(columns) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=_DIALECT, column_keys=keys)  # type: ignore[attr-defined]
    if any(parameter.expanding for parameter in compiled.binds.values()):
        return None
    asked = {name for name, parameter in compiled.binds.items() if parameter.required}
    given = asked.union(keys or ())
    fixed = {name: value for name, value in compiled.params.items() if name not in given}
    return SqliteText(text=str(compiled), fixed=fixed)
