"""A database of several machines that cannot be reached, or is slow."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select

from backend.storage import server_database
from backend.storage.database import SOME_ROWS
from backend.storage.errors import StorageError
from backend.storage.server_database import N_CONNECTIONS, ServerDatabase
from tests.postgres import Postgres
from tests.unit.backend.storage.things import things


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a machine that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"postgresql://mfp@127.0.0.1:{listener.getsockname()[1]}/mfp"


@pytest.fixture
def server(postgres: Postgres) -> ServerDatabase:
    return _with_things(ServerDatabase(postgres.new_database(), timeout_s=0.3))


def _with_things(database: ServerDatabase) -> ServerDatabase:
    with database.changing() as connection:
        things.create(connection)
    return database


@pytest.mark.slow
def test_of_a_machine_that_does_not_answer_only_the_first_use_waits(silent: str) -> None:
    database = ServerDatabase(silent, timeout_s=2)
    with pytest.raises(StorageError, match="MFP_DATABASE_URL: .*timeout"), database.using():
        pass
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(StorageError, match="away"), database.using():
            pass
    assert time.monotonic() - began < 1


def test_a_server_that_hangs_behind_an_open_connection_is_given_up_and_left_alone(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_database, "_SLACK_S", 0.2)
    database = ServerDatabase(postgres.new_database(), timeout_s=0.3)
    with database.changing(limit_s=10) as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.7)")
    with database.using() as connection:
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    os.kill(process, signal.SIGSTOP)  # its machine takes packets all the same
    began = time.monotonic()
    try:
        for _ in range(20):
            with pytest.raises(StorageError, match="heard|away"), database.using():
                pass
    finally:
        os.kill(process, signal.SIGCONT)
    assert time.monotonic() - began < 1


def test_a_statement_may_take_its_time_only_where_that_was_asked_for(
    server: ServerDatabase,
) -> None:
    with pytest.raises(StorageError, match="statement timeout"), server.using() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(1)")
    with server.changing(limit_s=10) as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.5)")
    with pytest.raises(StorageError, match="statement timeout"), server.changing() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(1)")


def test_more_threads_than_connections_take_turns(postgres: Postgres) -> None:
    server = _with_things(ServerDatabase(postgres.new_database()))

    def write(name: str) -> None:
        for _ in range(10):
            server.write((insert(things), [{"name": name}]))

    threads = [threading.Thread(target=write, args=(str(i),)) for i in range(4 * N_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.read(select(things), {})) == 40 * N_CONNECTIONS


def test_many_rows_come_some_at_a_time_and_none_are_written_for_none(
    server: ServerDatabase,
) -> None:
    server.write((insert(things), [{"name": str(i)} for i in range(1200)]), (insert(things), []))
    with server.reading() as connection:
        rows = connection.execute(select(things.c.name), execution_options=SOME_ROWS)
        assert [len(part) for part in rows.partitions()] == [500, 500, 200]
