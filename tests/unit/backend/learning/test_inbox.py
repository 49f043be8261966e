"""Webhooks while the file of jobs is locked, by another program or for long."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.label_studio.points import RequestError
from backend.learning.inbox import Inbox, InboxFullError
from backend.learning.job_logs import JobLogs
from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue
from backend.learning.trainer import Notice, Trainer
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError
from backend.storage.file_database import FileDatabase
from backend.storage.tables import JOBS

_NOTICE = Notice(action="START_TRAINING", project="14", annotation="")


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_webhook_is_answered_within_a_second_while_the_file_is_locked_and_not_lost(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path)
    queue = JobQueue(FileDatabase(data.jobs_file, JOBS))
    queue.know("14")
    noted: list[Exception] = []
    inbox = Inbox(Trainer(queue, JobLogs(data, None), {}).take, noted.append)
    other = sqlite3.connect(data.jobs_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert inbox.put(_NOTICE) is None
    assert time.monotonic() - started < 1
    other.execute("COMMIT")
    other.close()
    _until(lambda: queue.job(1) is not None)
    inbox.put(_NOTICE)  # behind it
    assert noted == []


@pytest.mark.slow
def test_so_many_wait_and_no_more() -> None:
    gate = threading.Event()

    def take(notice: Notice) -> Job | None:
        gate.wait(20)
        return None

    inbox = Inbox(take, [].append, max_waiting=2)
    for _ in range(2):
        assert inbox.put(_NOTICE) is None
    with pytest.raises(InboxFullError):
        inbox.put(_NOTICE)
    gate.set()


def test_what_is_refused_at_once_is_told_at_once_and_what_is_later_is_noted() -> None:
    noted: list[Exception] = []
    gate = threading.Event()

    def take(notice: Notice) -> Job | None:
        if notice.project == "slow":
            gate.wait(20)
        raise RequestError("no")

    inbox = Inbox(take, noted.append)
    with pytest.raises(RequestError):
        inbox.put(_NOTICE)
    slow = Notice(action="START_TRAINING", project="slow", annotation="")
    assert inbox.put(slow) is None
    gate.set()
    _until(lambda: bool(noted))


def test_a_file_that_stays_locked_is_given_up_with_words() -> None:
    noted: list[Exception] = []

    def take(notice: Notice) -> Job | None:
        raise StorageError("database is locked")

    inbox = Inbox(take, noted.append, try_for_s=0.0)
    with pytest.raises(StorageError):
        inbox.put(_NOTICE)


def test_no_answer_waits_for_noting_a_project_and_it_is_noted_later(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    queue = JobQueue(FileDatabase(data.jobs_file, JOBS))
    inbox = Inbox(Trainer(queue, JobLogs(data, None), {}).take, [].append, queue.know)
    other = sqlite3.connect(data.jobs_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    for _ in range(30):
        inbox.know("14", "15")
    assert time.monotonic() - started < 1
    other.execute("COMMIT")
    other.close()
    _until(lambda: queue.knows("14") and queue.knows("15"))


def test_a_project_that_could_not_be_noted_is_noted_at_its_next_request() -> None:
    answers = [False, True]
    asked: list[str] = []

    def know(project: str) -> bool:
        asked.append(project)
        return answers.pop(0)

    inbox = Inbox(lambda notice: None, [].append, know)
    inbox.know("14")
    _until(lambda: asked == ["14"])
    for _ in range(5):
        inbox.put(_NOTICE)  # behind it
        inbox.know("14")
    assert inbox.put(_NOTICE) is None
    assert asked == ["14", "14"]


def test_a_webhook_right_behind_the_first_request_finds_the_project(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    queue = JobQueue(FileDatabase(data.jobs_file, JOBS))
    inbox = Inbox(Trainer(queue, JobLogs(data, None), {}).take, [].append, queue.know)
    inbox.know("14")
    job = inbox.put(_NOTICE)
    assert job is not None
    assert job.project == "14"
