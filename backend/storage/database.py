"""A database, whether it is a file of one machine or a server of several.

Statements are SQLAlchemy's, for both alike. What a database cannot do just now is a `StorageError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert
AnyRow = Sequence[Any]
Step = tuple[Executable, Sequence[Mapping[str, object]]]  # a statement, and the values of each row


SOME_ROWS = {"yield_per": 500}  # options of a query whose rows come some at a time


class Database(ABC):
    """Any thread may use it.

    `read` and `write` are for what each click does: SQLite is then given text that was made once.
    """

    @abstractmethod
    def read(self, statement: Executable, values: Mapping[str, object]) -> Sequence[AnyRow]:
        """Return the rows of a query.

        Args:
            statement: The query, the same object each time.
            values: Of its parameters.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    def write(self, *steps: Step) -> None:
        """Run statements, each with the values of its rows; all or nothing.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give a connection on which each statement stands for itself.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for a query of many rows, which come some at a time.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    @contextmanager
    def changing(self, lock: str = "", *, limit_s: float | None = None) -> Iterator[Connection]:
        """Give a connection on which all happens or nothing.

        Args:
            lock: Whoever names the same waits for its turn.
            limit_s: How long one statement may take; None for what a click may wait.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """Return an insertion that can say what to do about a row that is there."""

    @abstractmethod
    def file_bytes(self) -> int | None:
        """Return the bytes in use where it is a file of its own, else None."""
