"""Which versions serve: in a file beside them, or in the database of several machines."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import func, select

from backend.storage.database import Database
from backend.storage.errors import StorageError
from backend.storage.locks import alone
from backend.storage.tables import serving
from mfp_model.errors import MfpError
from mfp_model.files import write_atomically

GLOBAL = "global"
Histories = dict[str, list[str]]


def scope_words(scope: str) -> str:
    """Return which projects are meant, as people read it."""
    return "all other projects" if scope == GLOBAL else f"project {scope}"


class RegistryError(MfpError):
    """A version that is unknown, or cannot be changed as asked."""


class RegistryAwayError(RegistryError):
    """What cannot be read just now, and can be later."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The versions that serve, newest last: globally, and for projects of their own."""

    histories: Mapping[str, tuple[str, ...]]

    def version(self, project: str) -> str | None:
        """Return the version that serves a project; None for the checkpoint of the settings."""
        own = self.histories.get(project) or self.histories.get(GLOBAL)
        return own[-1] if own else None

    def versions(self) -> set[str]:
        """Return all that serve somewhere."""
        return {history[-1] for history in self.histories.values() if history}

    def scopes(self, version: str) -> list[str]:
        """Return the projects of their own that a version serves, and `GLOBAL` for all others."""
        histories = sorted(self.histories.items())
        return [name for name, history in histories if history[-1:] == (version,)]

    @classmethod
    def from_json(cls, histories: object) -> Self:
        """Return what a file of lists of names holds.

        Raises:
            ValueError: It is of another form.
        """
        if not isinstance(histories, dict):
            raise ValueError(f"expected an object, got {type(histories).__name__}")
        for name, history in histories.items():
            if not isinstance(history, list) or not all(
                isinstance(version, str) for version in history
            ):
                raise ValueError(f"{name}: expected a list of names")
        return cls({name: tuple(history) for name, history in histories.items()})


class ServingStore(ABC):
    """Where that is kept."""

    @abstractmethod
    def read(self) -> Serving:
        """Return what serves.

        Raises:
            RegistryError: It is damaged.
            RegistryAwayError: It cannot be read just now.
        """

    @abstractmethod
    def stamp(self) -> Hashable:
        """Return what changes when `read` does; cheap. Raises like `read`."""

    @abstractmethod
    @contextmanager
    def changing(self) -> Iterator[Histories]:
        """Give the histories, kept in the end; to one process at a time. Raises like `read`."""


class ServingFile(ServingStore):
    """`serving.json` in the folder of versions; each change is one rename."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / "serving.json"

    def read(self) -> Serving:
        """Return what the file says; nothing serves where there is none."""
        try:
            return Serving.from_json(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return Serving({})
        except (OSError, ValueError) as error:
            raise RegistryError(f"{self._path}: damaged ({error})") from None

    def stamp(self) -> Hashable:
        """Return the file's time and number."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return state.st_mtime_ns, state.st_ino

    @contextmanager
    def changing(self) -> Iterator[Histories]:
        """Give the histories."""
        with alone(self._root):
            histories = {name: list(history) for name, history in self.read().histories.items()}
            yield histories
            write_atomically(self._path, json.dumps(histories, indent=1).encode())


class ServingTable(ServingStore):
    """A table that several machines read once a second."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Serving:
        """Return what the table says."""
        with _refusing(), self._database.using() as connection:
            rows = connection.execute(select(serving.c.name, serving.c.history)).fetchall()
            return Serving.from_json({name: json.loads(history) for name, history in rows})

    def stamp(self) -> Hashable:
        """Return how often it was changed."""
        with _refusing(), self._database.using() as connection:
            return connection.execute(select(func.sum(serving.c.n_changes))).scalar()

    @contextmanager
    def changing(self) -> Iterator[Histories]:
        """Give the histories."""
        row = self._database.insert(serving)
        upsert = row.on_conflict_do_update(
            index_elements=[serving.c.name],
            set_={"history": row.excluded.history, "n_changes": serving.c.n_changes + 1},
        )
        with _refusing(), self._database.changing("serving") as connection:
            query = select(serving.c.name, serving.c.history)
            before = {name: json.loads(history) for name, history in connection.execute(query)}
            histories = {name: list(history) for name, history in before.items()}
            yield histories
            for name in histories:
                if histories[name] != before.get(name):
                    history = json.dumps(histories[name])
                    connection.execute(upsert, {"name": name, "history": history, "n_changes": 1})


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise RegistryAwayError(f"which versions serve is not known: {error}") from error
    except ValueError as error:
        raise RegistryError(f"which versions serve is not known: {error}") from error
