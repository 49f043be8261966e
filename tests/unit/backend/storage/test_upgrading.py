"""Files and databases of every state, brought to today's."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, select

from backend.learning.jobs import JobQueue
from backend.recording.store import SessionStore
from backend.storage import upgrading
from backend.storage.file_database import FileDatabase
from backend.storage.moving import upgrade_server
from backend.storage.server_database import ServerDatabase
from backend.storage.sqlite_file import damaged_files
from backend.storage.tables import (
    JOBS,
    REGIONS,
    SESSIONS,
    TABLES,
    Part,
    answered_objects,
    begun,
    finals,
)
from backend.storage.upgrading import NEWEST, state
from mfp_model.errors import ConfigError
from tests.postgres import Postgres
from tests.unit.backend.storage.old_files import old_file

_PARTS = {"queue": JOBS, "jobs": JOBS, "regions": REGIONS, "answers": REGIONS, "sessions": SESSIONS}


def _shape(database: FileDatabase, part: Part) -> dict[str, object]:
    with database.using() as connection:
        look = inspect(connection)
        return {
            table.name: (
                {column["name"] for column in look.get_columns(table.name)},
                look.get_pk_constraint(table.name)["constrained_columns"],
                {index["name"] for index in look.get_indexes(table.name)},
            )
            for table in part.tables
        }


@pytest.mark.parametrize("name", ["jobs", "regions", "sessions"])
def test_another_programs_file_is_set_aside_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    part = _PARTS[name]
    path = tmp_path / f"{name}.sqlite3"
    other = sqlite3.connect(path)
    for table in part.tables:
        other.execute(f"CREATE TABLE {table.name} (other)")
    other.close()
    FileDatabase(path, part)
    (aside,) = damaged_files(tmp_path)
    kept = sqlite3.connect(aside)
    names = {name for (name,) in kept.execute("SELECT name FROM sqlite_master")}
    kept.close()
    assert names == {table.name for table in part.tables}


@pytest.mark.parametrize("name", sorted(_PARTS))
def test_an_old_file_becomes_what_a_new_one_is_and_stays_so(tmp_path: Path, name: str) -> None:
    path, part = old_file(tmp_path, name), _PARTS[name]
    upgraded = FileDatabase(path, part)
    assert _shape(upgraded, part) == _shape(FileDatabase(tmp_path / "new", part), part)
    with FileDatabase(path, part).using() as connection:
        assert state(connection, part.tables, "") == NEWEST


def test_what_an_old_file_held_is_there_in_its_order(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(old_file(tmp_path, "jobs"), JOBS))
    begun_job = queue.begin("one")
    assert begun_job is not None
    assert (begun_job.id, begun_job.step, begun_job.tries) == (3, "train", 2)
    assert queue.enqueue("14").id == 5
    assert queue.enqueue("15").id == 6
    assert queue.knows("14")
    queue = JobQueue(FileDatabase(old_file(tmp_path, "queue"), JOBS))
    begun_job = queue.begin("one")
    assert begun_job is not None
    assert (begun_job.id, begun_job.tries, queue.enqueue("14").id) == (3, 2, 5)
    assert not damaged_files(tmp_path)
    with FileDatabase(old_file(tmp_path, "regions"), REGIONS).using() as connection:
        assert connection.execute(select(begun)).fetchall() == [("p1", "v1", 1.0)]
    with FileDatabase(old_file(tmp_path, "answers"), REGIONS).using() as connection:
        rows = connection.execute(select(answered_objects).order_by(answered_objects.c.number))
        assert [(row.object, row.answer, row.at) for row in rows] == [
            ("r1", b"\0", 5.0),
            ("r0", b"\0", 5.0),
        ]
    sessions = SessionStore(FileDatabase(old_file(tmp_path, "sessions"), SESSIONS), max_bytes=1e9)
    assert [final.region for final in sessions.finals("3")] == ["rz", "ra"]


def test_an_upgrade_that_is_cut_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_file(tmp_path, "sessions")
    run_steps = upgrading._run_steps

    def cut(connection: Connection, tables: object) -> None:
        run_steps(connection, SESSIONS.tables)
        raise KeyboardInterrupt

    monkeypatch.setattr(upgrading, "_run_steps", cut)
    with pytest.raises(KeyboardInterrupt):
        FileDatabase(path, SESSIONS)
    database = sqlite3.connect(path)
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "mfp_state" not in names
    assert database.execute("SELECT COUNT(*) FROM finals").fetchone() == (2,)
    database.close()
    monkeypatch.undo()
    with FileDatabase(path, SESSIONS).using() as connection:
        assert [row.id for row in connection.execute(select(finals))] == [1, 2]


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    with FileDatabase(path, JOBS).using() as connection:
        connection.exec_driver_sql("UPDATE mfp_state SET version_num = '9999'")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="made by a newer version .* 9999"):
        FileDatabase(path, JOBS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(_PARTS))
def test_a_file_that_a_server_of_the_older_version_uses_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = old_file(tmp_path, name)
    before = sqlite3.connect(path)
    before.execute("SELECT name FROM sqlite_master").fetchall()
    with pytest.raises(ConfigError, match=f"{path.name}: in use .* stop the servers"):
        FileDatabase(path, _PARTS[name], wait_s=0.05)
    before.execute(f"DELETE FROM {_PARTS[name].tables[0].name}")  # it goes on
    before.close()
    FileDatabase(path, _PARTS[name])
    assert not damaged_files(tmp_path)


def test_a_database_with_another_programs_tables_is_refused(postgres: Postgres) -> None:
    server = ServerDatabase(postgres.new_database())
    with server.using() as connection:
        connection.exec_driver_sql("CREATE TABLE projects (id INTEGER)")
    with pytest.raises(ConfigError, match="has a table projects that is not this program's"):
        upgrade_server(server)
    with server.using() as connection:
        assert inspect(connection).get_table_names() == ["projects"]


def test_the_steps_lead_to_the_tables_of_today(postgres: Postgres) -> None:
    engine = create_engine(postgres.new_database().replace("://", "+psycopg://"))
    with engine.begin() as connection:
        upgrading._run_steps(connection, TABLES.sorted_tables)
    with engine.connect() as connection:
        opts = {"compare_type": True, "version_table": "mfp_state"}
        there = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(there, TABLES) == []
        assert state(connection, TABLES.sorted_tables, "") == NEWEST
    engine.dispose()


def test_a_database_is_made_once_and_one_of_a_newer_version_is_refused(
    postgres: Postgres,
) -> None:
    server = ServerDatabase(postgres.new_database())
    assert upgrade_server(server) is None
    assert upgrade_server(server) == NEWEST
    with server.using() as connection:
        connection.exec_driver_sql("UPDATE mfp_state SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer version"):
        upgrade_server(server)
