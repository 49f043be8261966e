import logging
import threading
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text

from backend.storage.errors import StorageError
from backend.storage.file_database import FileDatabase
from backend.storage.kept import Kept, kept_file
from tests.unit.backend.storage.things import THINGS, things

_ALL = select(things.c.name).order_by(things.c.at)


def _kept(path: Path | None = None, failure: str = "", **options: int) -> Kept:
    return Kept(kept_file(path, THINGS, failure=failure), failure=failure, **options)


def _row(name: str, at: float) -> dict[str, object]:
    return {"name": name, "at": at}


def _names(kept: Kept) -> list[str]:
    return [name for (name,) in kept.read(_ALL)]


def test_rows_are_there_for_other_workers_and_after_a_restart(tmp_path: Path) -> None:
    first, second = (_kept(tmp_path / "k.sqlite3") for _ in range(2))
    first.write(insert(things), [_row("a", 1), _row("b", 2)])
    second.write(insert(things), [_row("c", 3)])
    assert _names(first) == _names(second) == ["a", "b", "c"]
    assert _names(_kept(tmp_path / "k.sqlite3")) == ["a", "b", "c"]
    assert _names(_kept()) == []


def test_old_rows_go_now_and_then() -> None:
    kept = _kept(trim_every=3)
    for at in range(7):
        old = delete(things).where(things.c.at < at)
        kept.write(insert(things), [_row(str(at), at)], trim=lambda old=old: [old])
    assert _names(kept) == ["5", "6"]


def test_old_rows_go_on_a_server_that_is_hardly_used(tmp_path: Path) -> None:
    path = tmp_path / "k.sqlite3"
    old = delete(things).where(things.c.at < 5)
    _kept(path).write(insert(things), [_row("before a restart", 1)])
    restarted = _kept(path)
    restarted.write(insert(things), [_row("a", 6)], trim=lambda: [old])
    assert _names(restarted) == ["a"]
    hourly = Kept(kept_file(path, THINGS, failure=""), failure="", trim_after_s=0)
    for name in ("b", "c"):
        hourly.write(insert(things), [_row(name, 1)], trim=lambda: [old])
    assert _names(hourly) == ["a"]


def test_what_cannot_be_written_or_read_is_logged_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = _kept(tmp_path / "k.sqlite3", "no things")
    kept.database._connection.exec_driver_sql("PRAGMA query_only = ON")  # as when the disk is full
    with caplog.at_level(logging.WARNING):
        kept.write(insert(things), [_row("a", 1)])
        assert kept.read(text("SELECT nothing FROM nowhere")) == []
    assert caplog.text.count("no things: ") == 2


def test_a_full_disk_is_named_as_such_and_the_next_change_is_made(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "k.sqlite3", THINGS)
    with database.using() as connection:
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {n_pages}")
    with pytest.raises(StorageError, match="disk is full"), database.changing() as connection:
        connection.execute(insert(things), _row("a" * 100_000, 1))
    database.write((insert(things), [_row("b", 2), _row("c", 3)]))
    assert database.read(_ALL, {}) == [("b",), ("c",)]


def test_threads_share_it() -> None:
    kept = _kept()
    threads = [
        threading.Thread(target=kept.write, args=(insert(things), [_row(str(n), n)]))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_names(kept)) == 8
