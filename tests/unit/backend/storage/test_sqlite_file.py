"""Files that are damaged before they are opened, or while they are used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from backend.learning.jobs import JobQueue
from backend.storage import file_database
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError
from backend.storage.file_database import FileDatabase
from backend.storage.kept import Kept, kept_file
from backend.storage.sqlite_file import damaged_files
from backend.storage.tables import JOBS
from tests.unit.backend.storage.things import THINGS, things


def _filled(path: Path, n: int = 2000) -> None:
    file = FileDatabase(path, THINGS)
    with file.using() as connection:
        connection.execute(insert(things), [{"name": f"thing {index}" * 20} for index in range(n)])
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _kept(path: Path) -> Kept:
    return Kept(kept_file(path, THINGS, failure="things are not kept"), failure="things")


def _names(kept: Kept) -> list[str]:
    return [name for (name,) in kept.read(select(things.c.name).order_by(things.c.name))]


def _damage(path: Path, at: int, n: int = 20_000) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(n))


@pytest.mark.parametrize("at", [0, 30, 5000])
def test_a_damaged_file_is_set_aside_whole_and_begun_anew(
    tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "things.sqlite3"
    _filled(path)
    _damage(path, at)
    content = path.read_bytes()
    kept = _kept(path)
    kept.write(insert(things), [{"name": "new"}])
    assert _names(kept) == ["new"]
    (aside,) = damaged_files(tmp_path)
    assert aside.read_bytes() == content
    assert f"{path} is damaged" in caplog.text
    assert aside.name in caplog.text


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"\0" * 100])
def test_a_cut_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "things.sqlite3"
    path.write_bytes(content)
    kept = _kept(path)
    kept.write(insert(things), [{"name": "new"}])
    assert _names(kept) == ["new"]


def test_a_sound_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    _filled(path, 7)
    assert len(_names(_kept(path))) == 7
    assert damaged_files(tmp_path) == []


def test_a_file_damaged_in_use_fails_once_and_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    _filled(path, 40_000)  # more than SQLite keeps in memory
    kept = _kept(path)
    _damage(path, 0, 2_000_000)
    assert _names(kept) == []
    kept.write(insert(things), [{"name": "new"}])
    assert _names(kept) == ["new"]
    assert len(damaged_files(tmp_path)) == 1


@pytest.mark.slow
def test_several_processes_that_meet_the_same_damage_agree_on_one_new_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "things.sqlite3"
    _filled(path)
    _damage(path, 0)
    code = """
import sys
from pathlib import Path
from sqlalchemy import insert
from backend.storage.kept import Kept, kept_file
from tests.unit.backend.storage.things import THINGS, things
kept = Kept(kept_file(Path(sys.argv[1]), THINGS, failure="things"), failure="things")
kept.write(insert(things), [{"name": sys.argv[2]}])
"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "abcd"]
    assert [process.wait(60) for process in running] == [0] * 4
    assert _names(_kept(path)) == ["a", "b", "c", "d"]
    assert len(damaged_files(tmp_path)) == 1


def test_a_locked_file_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    file = FileDatabase(path, THINGS, wait_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"), file.using() as connection:
        connection.execute(insert(things), {"name": "new"})
    other.close()
    assert damaged_files(tmp_path) == []


def test_what_is_only_kept_for_convenience_goes_on_in_memory_on_a_full_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = tmp_path / "missing" / "things.sqlite3"
    kept = _kept(nowhere)
    kept.write(insert(things), [{"name": "new"}])
    assert _names(kept) == ["new"]
    assert "kept in memory only" in caplog.text


def test_what_was_removed_is_gone_and_all_who_had_it_open_go_on_in_one_new_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "things.sqlite3"
    first, second = FileDatabase(path, THINGS), FileDatabase(path, THINGS)
    for database in (first, second):
        database.write((insert(things), [{"name": "secret"}]))
    path.unlink()
    first.write((insert(things), [{"name": "a"}]))
    second.write((insert(things), [{"name": "b"}]))
    for database in (first, second, FileDatabase(path, THINGS)):
        assert {name for (name,) in database.read(select(things.c.name), {})} == {"a", "b"}
    assert not any(b"secret" in file.read_bytes() for file in tmp_path.iterdir())
    with first.using() as connection:  # what is in use is not changed below it
        path.unlink()
        assert len(first.read(select(things.c.name), {})) == 2
        connection.execute(insert(things), {"name": "c"})
    assert first.read(select(things.c.name), {}) == []


def test_a_file_whose_folder_was_moved_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    database = FileDatabase(tmp_path / "data" / "things.sqlite3", THINGS)
    (tmp_path / "data").rename(tmp_path / "moved")
    database.write((insert(things), [{"name": "a"}]))
    moved = FileDatabase(tmp_path / "moved" / "things.sqlite3", THINGS)
    assert moved.read(select(things.c.name), {}) == [("a",)]
    (tmp_path / "data").mkdir()
    assert database.read(select(things.c.name), {}) == []


def test_a_file_that_cannot_be_used_fails_until_it_is_taken_away(tmp_path: Path) -> None:
    path, aside = tmp_path / "things.sqlite3", tmp_path / "aside.sqlite3"
    database = FileDatabase(path, THINGS)
    database.write((insert(things), [{"name": "a"}]))
    path.rename(aside)
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    with sqlite3.connect(path) as newer:
        newer.executescript(
            "CREATE TABLE mfp_state (version_num TEXT); INSERT INTO mfp_state VALUES ('9999')"
        )
    for _ in range(2):
        with pytest.raises(StorageError, match="newer version"):
            database.read(select(things.c.name), {})
    aside.rename(path)
    for side in ("-wal", "-shm"):
        aside.with_name(aside.name + side).rename(path.with_name(path.name + side))
    assert database.read(select(things.c.name), {}) == [("a",)]


def test_a_file_that_was_removed_is_free_before_another_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "things.sqlite3"
    database = FileDatabase(path, THINGS)
    path.unlink()

    def opened(*_: object, **__: object) -> sqlite3.Connection:
        still_open = [link for link in Path("/proc/self/fd").iterdir() if _leads_to(link, path)]
        raise sqlite3.OperationalError(f"{len(still_open)} open")

    monkeypatch.setattr(file_database, "open_database", opened)
    with pytest.raises(StorageError, match="0 open"):
        database.write((insert(things), [{"name": "b"}]))
    monkeypatch.undo()
    database.write((insert(things), [{"name": "b"}]))
    assert database.read(select(things.c.name), {}) == [("b",)]


def _leads_to(link: Path, path: Path) -> bool:
    return link.is_symlink() and os.readlink(link).startswith(str(path))


def test_a_queue_that_is_damaged_takes_jobs_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    queue = JobQueue(FileDatabase(path, JOBS))
    queue.enqueue("1")
    for file in tmp_path.glob("jobs.sqlite3*"):
        file.write_bytes(os.urandom(50_000))
    again = JobQueue(FileDatabase(path, JOBS))
    assert again.enqueue("2").id == 1
    assert damaged_files(tmp_path)


def test_the_data_folder_is_for_its_user_only(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    JobQueue(FileDatabase(data.jobs_file, JOBS)).enqueue("1")
    for path in (data.root, data.models, data.jobs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in data.root.glob("*.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "other tables"])
def test_what_is_no_file_of_ours_is_set_aside(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "things.sqlite3"
    if kind == "a folder":
        path.mkdir()
        (path / "somebody's").touch()
    elif kind == "a link to nothing":
        path.symlink_to(tmp_path / "gone" / "things")
    else:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE things (other)")
        other.close()
    kept = _kept(path)
    kept.write(insert(things), [{"name": "new"}])
    assert path.is_file()
    assert _names(_kept(path)) == ["new"]
    (aside,) = damaged_files(tmp_path)
    assert kind != "a folder" or (aside / "somebody's").exists()


def test_further_columns_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    newer = sqlite3.connect(path)
    newer.execute("CREATE TABLE things (name TEXT, at REAL, added REAL)")
    newer.close()
    FileDatabase(path, THINGS)
    assert not damaged_files(tmp_path)
