"""A data folder's files -> the database of several machines, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Integer, RowMapping, Table, func, insert, select, text

from backend.storage.data_folder import DataFolder
from backend.storage.database import SOME_ROWS
from backend.storage.file_database import FileDatabase
from backend.storage.letters import storable_text
from backend.storage.moved_file import MovedFile
from backend.storage.server_database import ServerDatabase
from backend.storage.tables import JOBS, REGIONS, SESSIONS, TABLES, Part, serving
from backend.storage.upgrading import upgrade
from mfp_model.errors import ConfigError

_LIMIT_S = 3600.0  # of one statement: a step may write a table anew
_LOCK = "upgrade"
_ENCODINGS = ("UTF8", "SQL_ASCII")  # the latter keeps what it is given


def upgrade_files(data: DataFolder) -> list[Path]:
    """Bring a folder's files to today's state, as their first use would, and return them.

    Raises:
        StorageError: One cannot be written.
        ConfigError: A newer version of this program has made one.
    """
    files = _parts(data)
    for path, part in files.items():
        FileDatabase(path, part)
    return list(files)


def upgrade_server(server: ServerDatabase) -> str | None:
    """Bring a database to today's state, and return the one that it had; None for an empty one.

    Raises:
        StorageError: It cannot be reached, or the tables cannot be changed.
        ConfigError: A newer version of this program has made it, or it cannot hold every letter.
    """
    with server.changing(_LOCK, limit_s=_LIMIT_S) as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding not in _ENCODINGS:
            raise ConfigError(
                f"MFP_DATABASE_URL: the database's encoding is {encoding}, expected UTF8"
            )
        return upgrade(connection, TABLES.sorted_tables, "MFP_DATABASE_URL")


def move(data: DataFolder, server: ServerDatabase) -> Mapping[str, int]:
    """Copy what a folder's files hold into a database; the files stay, and are used no more.

    Args:
        data: The folder.
        server: The database, in today's state.

    Returns:
        The rows copied, by table; empty where there was nothing, or all was moved before.

    Raises:
        ConfigError: The folder is in use, or was moved elsewhere. Or the database has rows already.
        StorageError: A file or the database cannot be used.
    """
    before = MovedFile.read(data)
    if before is None and not data.state_files():
        return {}
    moved = before or MovedFile.begin(data)
    try:
        return _move(data, server, moved)
    except ConfigError:  # nothing was moved
        if before is None:
            data.moved_file.unlink()
        raise


def _move(data: DataFolder, server: ServerDatabase, moved: MovedFile) -> Mapping[str, int]:
    with (
        server.changing(_LOCK, limit_s=_LIMIT_S) as target,
        _alone(data) as sources,
    ):
        if moved.is_in(target):  # by a run that was cut behind its end
            counts: dict[str, int] = {}
        elif moved.rows is not None:
            raise moved.refusal("name that one in MFP_DATABASE_URL instead of this one")
        else:
            counts = {
                table.name: _copy(table, source.connection, target)
                for source in sources
                for table in source.part.tables
            }
            counts[serving.name] = _copy_serving(data.serving_file, target)
            moved.note_in(target)
    if moved.rows is None:
        moved.complete(counts)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that nobody else uses."""

    part: Part
    connection: Connection


@contextmanager
def _alone(data: DataFolder) -> Iterator[list[_Source]]:
    with ExitStack() as stack:
        yield [
            _Source(part=part, connection=stack.enter_context(FileDatabase(path, part).alone()))
            for path, part in _parts(data).items()
        ]


def _parts(data: DataFolder) -> dict[Path, Part]:
    """The files that are there, and what each holds."""
    parts = {data.jobs_file: JOBS, data.regions_file: REGIONS, data.sessions_file: SESSIONS}
    return {path: part for path, part in parts.items() if path.is_file()}


def _copy(table: Table, source: Connection, target: Connection) -> int:
    n_rows = 0
    for rows in source.execute(select(table), execution_options=SOME_ROWS).mappings().partitions():
        if n_rows == 0:
            _refuse_filled(target, table)
        target.execute(insert(table), [_storable(row) for row in rows])
        n_rows += len(rows)
    number = next((key for key in table.primary_key if isinstance(key.type, Integer)), None)
    if number is not None and n_rows:  # the next one comes after those that were copied
        last = target.execute(select(func.max(number))).scalar_one()
        sequence = f"pg_get_serial_sequence('{table.name}', '{number.name}')"
        target.execute(text(f"SELECT setval({sequence}, :last)"), {"last": last})
    return n_rows


def _copy_serving(path: Path, target: Connection) -> int:
    try:
        histories = dict(json.loads(path.read_text())) if path.exists() else {}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); correct or remove it") from None
    if histories:
        _refuse_filled(target, serving)
    for name, history in histories.items():
        row = {"name": name, "history": json.dumps(list(history)), "n_changes": 1}
        target.execute(insert(serving), row)
    return len(histories)


def _storable(row: RowMapping) -> dict[str, object]:
    return {
        name: storable_text(value) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _refuse_filled(target: Connection, table: Table) -> None:
    if target.execute(select(table).limit(1)).first() is not None:
        raise ConfigError(
            f"MFP_DATABASE_URL: table {table.name} has rows already; move into an empty database, "
            "or name a data folder without a state of its own"
        )
