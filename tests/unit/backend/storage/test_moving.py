"""A data folder of one machine, moved into the database of several, and what may come between."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from backend.cli import main
from backend.learning.jobs import JobQueue
from backend.models.begun import BegunVersions
from backend.models.registry import model_registry
from backend.recording.store import SessionStore
from backend.storage import moving
from backend.storage.data_folder import DataFolder
from backend.storage.moved_file import MovedFile
from backend.storage.moving import move, upgrade_server
from backend.storage.server_database import ServerDatabase
from backend.storage.shared_state import SharedState, open_server
from mfp_model.errors import ConfigError
from tests.postgres import Postgres
from tests.unit.backend.storage.recorded import answer, promote


@pytest.fixture
def url(postgres: Postgres) -> str:
    """A database with the tables of today."""
    address = postgres.new_database()
    upgrade_server(open_server(address))
    return address


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A folder with some of everything, which nobody uses."""
    files = SharedState(tmp_path / "data")
    JobQueue(files.jobs()).enqueue("14")
    BegunVersions(files.regions()).remember(frozenset("a"), "v1")
    store = SessionStore(files.sessions(), max_bytes=1e9)
    store.add_answer(answer(1))
    store.add_save("3", "7", "5", "ANNOTATION_CREATED", [("r1", "Cat", b"m")])
    promote(files, tmp_path, "v1", "14")
    return files.data


def _check_is_there(state: SharedState) -> None:
    assert [job.project for job in JobQueue(state.jobs()).newest(5)] == ["14"]
    assert BegunVersions(state.regions()).version(frozenset("a")) == "v1"
    store = SessionStore(state.sessions(), max_bytes=1e9)
    assert list(store.answers("3")) == [answer(1)]
    assert [final.region for final in store.finals("")] == ["r1"]
    assert model_registry(state).serving().version("14") == "v1"


def test_a_folder_is_moved_whole_and_only_once(
    data: DataFolder,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = postgres.new_database()
    monkeypatch.setenv("MFP_DATA_DIR", str(data.root))
    monkeypatch.setenv("MFP_DATABASE_URL", url)
    assert main(["migrate", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["moved"]["answers"] == report["moved"]["serving"] == 1
    moved = SharedState(data.root, url)
    _check_is_there(moved)
    assert JobQueue(moved.jobs()).enqueue("15").id == 2
    assert main(["migrate"]) == 0
    assert "nothing to move" in capsys.readouterr().out
    monkeypatch.delenv("MFP_DATABASE_URL")
    with pytest.raises(ConfigError, match="moved into a database"):
        SharedState(data.root)
    data.moved_file.unlink()
    _check_is_there(SharedState(data.root))


def test_a_folder_whose_state_is_not_in_the_database_is_not_used_with_it(
    data: DataFolder, url: str
) -> None:
    with pytest.raises(ConfigError, match="jobs.sqlite3, .*serving.json.*run `mfp migrate`"):
        SharedState(data.root, url)
    _check_is_there(SharedState(data.root))


def test_a_folder_is_not_used_with_another_database_than_it_was_moved_into(
    data: DataFolder, url: str, postgres: Postgres
) -> None:
    move(data, ServerDatabase(url))
    other = postgres.new_database()
    upgrade_server(open_server(other))
    with pytest.raises(ConfigError, match="name that one in MFP_DATABASE_URL instead"):
        SharedState(data.root, other)
    with pytest.raises(ConfigError, match="name that one in MFP_DATABASE_URL instead"):
        move(data, ServerDatabase(other))
    _check_is_there(SharedState(data.root, url))


class _Killed(BaseException):
    """What ends a process at once."""


def _cut_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def note_in(file: MovedFile, connection: Connection) -> None:
        raise _Killed

    monkeypatch.setattr(moving.MovedFile, "note_in", note_in)


def _cut_behind_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def complete(file: MovedFile, rows: object) -> None:
        raise _Killed

    monkeypatch.setattr(moving.MovedFile, "complete", complete)


@pytest.mark.parametrize("cut", [_cut_before_the_commit, _cut_behind_the_commit])
def test_a_move_that_is_cut_is_made_again_and_nothing_is_there_twice(
    data: DataFolder,
    url: str,
    cut: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        cut(patch)
        with pytest.raises(_Killed):
            move(data, ServerDatabase(url))
    with pytest.raises(ConfigError, match="was cut; run `mfp migrate`"):
        SharedState(data.root)
    if cut is _cut_before_the_commit:
        with pytest.raises(ConfigError, match="was cut; run `mfp migrate`"):
            SharedState(data.root, url)
    counts = move(data, ServerDatabase(url))
    assert bool(counts) == (cut is _cut_before_the_commit)
    assert MovedFile.read(data).rows is not None  # type: ignore[union-attr]
    _check_is_there(SharedState(data.root, url))


def test_a_folder_is_not_moved_while_somebody_uses_it(data: DataFolder, url: str) -> None:
    server = SharedState(data.root)
    sessions = server.sessions()
    with pytest.raises(ConfigError, match="sessions.sqlite3: in use .* stop the servers"):
        move(data, ServerDatabase(url))
    _check_is_there(server)
    del sessions
    assert move(data, ServerDatabase(url))


def test_nobody_can_write_to_a_folder_that_is_being_moved(
    data: DataFolder, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note_in(file: MovedFile, connection: Connection) -> None:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(data.jobs_file, timeout=0).execute("DELETE FROM jobs")
        raise _Killed

    monkeypatch.setattr(moving.MovedFile, "note_in", note_in)
    with pytest.raises(_Killed):
        move(data, ServerDatabase(url))


def test_a_folder_is_not_moved_into_a_database_with_other_rows(data: DataFolder, url: str) -> None:
    JobQueue(ServerDatabase(url)).enqueue("1")
    with pytest.raises(ConfigError, match="table jobs has rows already"):
        move(data, ServerDatabase(url))
    _check_is_there(SharedState(data.root))
    assert JobQueue(ServerDatabase(url)).newest(5)[0].project == "1"


def test_a_folder_without_rows_is_moved_into_any_database(tmp_path: Path, url: str) -> None:
    JobQueue(ServerDatabase(url)).enqueue("1")
    files = SharedState(tmp_path / "data")
    JobQueue(files.jobs())
    assert move(files.data, ServerDatabase(url))["jobs"] == 0
    assert JobQueue(SharedState(tmp_path / "data", url).jobs()).newest(5)[0].project == "1"


def test_a_damaged_mark_of_a_move_is_named(data: DataFolder, url: str) -> None:
    data.moved_file.write_text("[]")
    for address in ("", url):
        with pytest.raises(ConfigError, match="moved-to-database.json: damaged"):
            SharedState(data.root, address)


def test_a_database_without_an_encoding_holds_every_letter(postgres: Postgres) -> None:
    server = open_server(postgres.new_database("SQL_ASCII"))
    upgrade_server(server)
    SessionStore(server, max_bytes=1e9).add_save("3", "7", "5", "SAVED", [("r1", "Köter 犬", b"m")])
    assert [f.label for f in SessionStore(server, max_bytes=1e9).finals("")] == ["Köter 犬"]


def test_a_database_that_cannot_hold_every_letter_is_refused(postgres: Postgres) -> None:
    server = open_server(postgres.new_database("LATIN1"))
    with pytest.raises(ConfigError, match="encoding is LATIN1, expected UTF8"):
        upgrade_server(server)
