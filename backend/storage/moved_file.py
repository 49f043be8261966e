"""What a data folder tells of its move into a database.

The file is written before the move begins, and completed after it. The database tells by the move's
name whether it happened: so whatever is cut in between, a folder is never half used.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from backend.storage.data_folder import DataFolder
from backend.storage.database import Database
from backend.storage.tables import moves
from mfp_model.errors import ConfigError
from mfp_model.files import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFile:
    """The file.

    Attributes:
        path: Where it lies.
        move: The move's name.
        rows: The rows that were moved, by table; None for a move that was not seen to end.
    """

    path: Path
    move: str
    rows: Mapping[str, int] | None = None

    @classmethod
    def read(cls, data: DataFolder) -> MovedFile | None:
        """Return what a folder tells, None where it was not moved.

        Raises:
            ConfigError: The file is damaged.
        """
        path = data.moved_file
        try:
            entry = json.loads(path.read_text())
            return cls(path=path, move=str(entry["move"]), rows=entry["rows"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path}: damaged ({error}); remove it, and run `mfp migrate` if what the folder "
                "holds is to be moved into a database"
            ) from None

    @classmethod
    def begin(cls, data: DataFolder) -> MovedFile:
        """Return the file of a move that begins, and write it."""
        file = cls(path=data.moved_file, move=uuid.uuid4().hex)
        file._write()
        return file

    def complete(self, rows: Mapping[str, int]) -> None:
        """Write what was moved."""
        MovedFile(path=self.path, move=self.move, rows=rows)._write()

    def is_in(self, connection: Connection) -> bool:
        """Return whether a database has what was moved."""
        query = select(moves.c.move).where(moves.c.move == self.move)
        return connection.execute(query).first() is not None

    def note_in(self, connection: Connection) -> None:
        """Note in a database that it has what was moved."""
        connection.execute(insert(moves), {"move": self.move, "at": time.time()})

    def refusal(self, advice: str) -> ConfigError:
        """Return the error of a use without the database that has what was moved.

        Args:
            advice: What to do about the database.
        """
        if self.rows is None:
            return ConfigError(
                f"{self.path}: the move of this folder into a database was cut; run `mfp migrate` "
                "with that database again"
            )
        return ConfigError(
            f"{self.path}: this folder was moved into a database; {advice}, or remove this file to "
            "go back to what the folder held then"
        )

    def _write(self) -> None:
        entry = {"move": self.move, "at": round(time.time(), 3), "rows": self.rows}
        write_atomically(self.path, json.dumps(entry, indent=1).encode())


def check_folder(data: DataFolder, server: Database | None) -> None:
    """Refuse a folder whose state is not in the database that is used, or is in one that is not.

    Args:
        data: The folder.
        server: The database; None for files in the folder.

    Raises:
        ConfigError: It is so.
        StorageError: The database cannot be read.
    """
    moved = MovedFile.read(data)
    if moved is None:
        files = ", ".join(path.name for path in data.state_files())
        if server is not None and files:
            raise ConfigError(
                f"MFP_DATA_DIR={str(data.root)!r}: has a state of its own ({files}), which is not "
                "in MFP_DATABASE_URL; stop what uses the folder and run `mfp migrate`, or name "
                "another folder"
            )
        return
    if server is None:
        raise moved.refusal("name that in MFP_DATABASE_URL")
    with server.using() as connection:
        if not moved.is_in(connection):
            raise moved.refusal("name that one in MFP_DATABASE_URL instead of this one")
