"""What processes share, in files of one machine and in a database of several alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli import main
from backend.learning.jobs import JobQueue
from backend.models.begun import BegunVersions
from backend.models.registry import model_registry
from backend.monitoring.journal import Journal
from backend.recording.store import SessionStore
from backend.storage.errors import StorageError
from backend.storage.moving import upgrade_server
from backend.storage.shared_state import SharedState, open_server
from mfp_model.errors import ConfigError
from tests.postgres import Postgres
from tests.unit.backend.storage.recorded import answer, promote

Open = Callable[[], SharedState]


@pytest.fixture(params=["files", "database"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """What each machine opens; all of them see the same."""
    if request.param == "files":
        return lambda: SharedState(tmp_path / "data")
    url = request.getfixturevalue("postgres").new_database()
    upgrade_server(open_server(url))
    return lambda: SharedState(tmp_path / "data", url)


def test_the_queue_is_one_for_all(machine: Open) -> None:
    here, there = (JobQueue(machine().jobs()) for _ in range(2))
    job = here.enqueue("14")
    assert there.enqueue("14") == job
    assert there.note_change("14", "1") == here.note_change("14", "1") == 1
    here.know("14")
    assert there.knows("14")
    taken = there.begin("one")
    assert taken is not None
    here.cancel(job.id)
    assert there.is_cancelled(job.id)
    there.end(job.id, "cancelled", "a\0b", worker="one")
    assert here.n_by_state()["cancelled"] == 1


def test_no_job_is_begun_twice_and_no_project_waits_twice(machine: Open) -> None:
    queues = [JobQueue(machine().jobs()) for _ in range(4)]
    begun: list[tuple[int, str]] = []

    def work(index: int) -> None:
        for project in range(12):
            queues[index].enqueue(str(project))
        while (job := queues[index].begin(f"worker {index}")) is not None:
            begun.append((job.id, job.project))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    projects = [project for _, project in begun]
    assert sorted(projects, key=int) == [str(project) for project in range(12)]
    waiting = queues[0].n_by_state()["queued"]
    assert len({number for number, _ in begun}) == 12
    assert waiting <= 12


def test_an_object_is_finished_on_its_version_at_any_machine(machine: Open) -> None:
    here, there = (BegunVersions(machine().regions()) for _ in range(2))
    here.remember(frozenset("ab"), "v1")
    assert there.version(frozenset("bc")) == "v1"
    there.remember(frozenset("bc"), "v1")
    assert here.version(frozenset("c")) == "v1"
    assert there.version(frozenset("x")) is None


def test_what_was_recorded_anywhere_is_read_anywhere(machine: Open) -> None:
    here, there = (SessionStore(machine().sessions(), max_bytes=1e9) for _ in range(2))
    for number in range(3):
        (here, there)[number % 2].add_answer(answer(number))
    assert list(here.answers("3")) == [answer(number) for number in range(3)]
    assert list(here.answers("")) == list(there.answers("3"))
    assert list(here.answers("4")) == []
    assert there.answered("3", "7") == {"r0", "r1", "r2", "both"}
    for region in ("r1", "r0"):
        here.add_save(
            "3", "7", "5", "ANNOTATION_UPDATED", [(region, "Cat", b"m"), ("both", None, b"m")]
        )
    finals = list(there.finals("3"))
    assert [(final.region, final.label, final.mask) for final in finals] == [
        ("r0", "Cat", b"m"),
        ("both", None, b"m"),
    ]


def test_the_oldest_of_what_was_recorded_goes_when_there_is_no_room(machine: Open) -> None:
    store = SessionStore(machine().sessions(), max_bytes=200_000)
    for number in range(250):
        store.add_answer(answer(number))
    store.trim()
    kept = [row.at for row in store.answers("")]
    assert 20 < len(kept) < 250
    assert kept[-1] == 249
    assert all(row.answer is not None for row in store.answers(""))


def test_clicks_and_errors_are_told_of_with_each_server(machine: Open, tmp_path: Path) -> None:
    database, name = machine().journal(None)
    journal = Journal(database, server=name)
    journal.note_click(ms=5.0)
    journal.note_error(kind="ImageError", message="\0\ud800", request_id="r")
    assert sum(minute.n_clicks for minute in journal.minutes(2).each) == 1
    assert [error.message for error in journal.errors(5)] == ["\\0\\ud800"]
    assert 0 <= journal.uptime_s() < 60


def test_a_promotion_anywhere_serves_everywhere(machine: Open, tmp_path: Path) -> None:
    here, there = (model_registry(machine()) for _ in range(2))
    before = there.stamp()
    promote(machine(), tmp_path, "v1", "14")
    promote(machine(), tmp_path, "v2", "14")
    assert there.stamp() != before
    assert there.serving().version("14") == "v2"
    before = here.stamp()
    assert there.rollback(project="14") == "v1"
    assert here.stamp() != before
    assert here.serving().version("14") == "v1"
    assert here.serving().version("15") is None


def test_a_database_without_tables_or_that_is_away_is_named_at_the_start(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with pytest.raises(ConfigError, match="has no tables yet; run `mfp migrate`"):
        SharedState(tmp_path, url)
    with pytest.raises(ConfigError, match="MFP_DATABASE_URL: .*nowhere"):
        SharedState(tmp_path, postgres.url("nowhere"))


def test_a_database_that_was_restarted_is_used_again(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    upgrade_server(open_server(url))
    state = SharedState(tmp_path, url)
    queue, begun = JobQueue(state.jobs()), BegunVersions(state.regions())
    queue.enqueue("14")
    postgres.stop()
    try:
        with pytest.raises(StorageError):
            queue.newest(1)
        assert begun.version(frozenset("a")) is None
    finally:
        postgres.start()
    assert queue.newest(1)[0].project == "14"


def test_migrate_without_a_database_upgrades_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    JobQueue(SharedState(tmp_path).jobs())
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path))
    assert main(["migrate"]) == 0
    assert "jobs.sqlite3: state 0002" in capsys.readouterr().out
