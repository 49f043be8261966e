import logging
from pathlib import Path

import pytest

from backend.monitoring import journal as module
from backend.monitoring.journal import Journal
from backend.storage.shared_state import journal_file


def test_minutes_tell_how_many_clicks_and_how_long_they_took() -> None:
    now = [1000.0]
    journal = Journal(clock=lambda: now[0])
    journal.note_click(ms=500)
    now[0] += 60
    for ms in (10, 20, 60):
        journal.note_click(ms=ms)
    before, last = journal.minutes(2).each
    assert (before.n_clicks, before.median_ms) == (1, 500)
    assert (last.n_clicks, last.median_ms, last.p95_ms) == (3, 20, 60)
    assert journal.uptime_s() == 60
    assert [minute.n_clicks for minute in journal.minutes(1).each] == [3]


def test_the_median_is_of_all_clicks_and_changes_by_clicks_only() -> None:
    now = [60_000.0]
    journal = Journal(clock=lambda: now[0])
    for seconds, ms in ((0, 30), (10, 40), (58, 50), (61, 200), (125, 300)):
        now[0] = 60_000.0 + seconds
        journal.note_click(ms=ms)
    medians = set()
    for seconds in range(125, 3600, 25):  # while all are among the last 60 minutes
        now[0] = 60_000.0 + seconds
        medians.add(journal.minutes(60).median_ms)
    assert medians == {50}
    now[0] = 60_000.0 + 3600
    assert journal.minutes(60).median_ms == 250
    now[0] = 60_000.0 + 7200
    assert journal.minutes(60).median_ms is None


def test_a_click_stays_in_its_minute() -> None:
    now = [60_059.0]
    journal = Journal(clock=lambda: now[0])
    for _ in range(2):
        journal.note_click(ms=1)
        now[0] += 2
    for _ in range(57):
        assert [minute.n_clicks for minute in journal.minutes(2).each] == [1, 1]
        now[0] += 1


def test_workers_share_a_file(tmp_path: Path) -> None:
    first, second = (Journal(journal_file(tmp_path)) for _ in range(2))
    for journal, name in ((first, "A"), (second, "B")):
        journal.note_error(kind=name, message="m", request_id="r")
    assert [error.kind for error in first.errors(10)] == ["B", "A"]
    assert [error.kind for error in second.errors(1)] == ["B"]


def test_old_entries_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_ROWS", 10)
    monkeypatch.setattr(module, "_TRIM_EVERY", 5)
    journal = Journal()
    for i in range(50):
        journal.note_error(kind=str(i), message="", request_id="")
    kinds = [error.kind for error in journal.errors(100)]
    assert kinds[0] == "49"
    assert 10 <= len(kinds) < 16


def test_what_cannot_be_written_does_not_stop_an_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(journal_file(tmp_path))
    journal._kept.database._connection.exec_driver_sql(
        "PRAGMA query_only = ON"
    )  # as when the disk is full
    with caplog.at_level(logging.WARNING):
        journal.note_click(ms=1)
    assert "misses an entry" in caplog.text
