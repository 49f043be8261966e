import logging
import threading
from pathlib import Path

import pytest

from backend.storage.kept import Kept

_SCHEMA = "CREATE TABLE IF NOT EXISTS things (name TEXT, at REAL)"
_INSERT = "INSERT INTO things VALUES (?, ?)"
_ALL = "SELECT name FROM things ORDER BY at"


def _names(kept: Kept) -> list[str]:
    return [name for (name,) in kept.read(_ALL)]


def test_rows_are_there_for_other_workers_and_after_a_restart(tmp_path: Path) -> None:
    one, other = (Kept(tmp_path / "k.sqlite3", _SCHEMA, failure="") for _ in range(2))
    one.write(_INSERT, [("a", 1), ("b", 2)])
    other.write(_INSERT, [("c", 3)])
    assert _names(one) == _names(other) == ["a", "b", "c"]
    assert _names(Kept(tmp_path / "k.sqlite3", _SCHEMA, failure="")) == ["a", "b", "c"]
    assert _names(Kept(None, _SCHEMA, failure="")) == []


def test_old_rows_go_now_and_then() -> None:
    kept = Kept(None, _SCHEMA, failure="", trim_every=3)
    for at in range(7):
        kept.write(_INSERT, [(str(at), at)], trim=[("DELETE FROM things WHERE at < ?", at)])
    assert _names(kept) == ["5", "6"]


def test_what_cannot_be_written_or_read_is_logged_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path / "k.sqlite3", _SCHEMA, failure="no things")
    kept._file._database.execute("PRAGMA query_only = ON")  # as when the disk is full
    with caplog.at_level(logging.WARNING):
        kept.write(_INSERT, [("a", 1)])
        assert kept.read("SELECT nothing FROM nowhere") == []
    assert caplog.text.count("no things: ") == 2


def test_threads_share_it() -> None:
    kept = Kept(None, _SCHEMA, failure="")
    threads = [threading.Thread(target=kept.write, args=(_INSERT, [(str(n), n)])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_names(kept)) == 8
