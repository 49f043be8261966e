from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from backend.learning.jobs import LEASE_S, JobQueue, LostJobError
from backend.learning.queue_figures import JobFigures
from backend.storage.file_database import FileDatabase
from backend.storage.tables import JOBS


def test_a_project_waits_once_and_may_wait_again_while_it_runs(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    first = queue.enqueue("14")
    assert queue.enqueue("14").id == first.id
    other = queue.enqueue("15")
    running = queue.begin("one")
    assert running is not None
    assert (running.id, running.state, running.tries) == (first.id, "running", 1)
    again = queue.enqueue("14")
    assert again.id not in (first.id, other.id)


def test_the_queue_outlives_the_process_and_goes_on_with_what_ran(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    queue.enqueue("14")
    queue.enqueue("15")
    begun = queue.begin("one")
    assert begun is not None
    queue.tell(begun.id, step="train", share=0.4)
    later = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    resumed = later.begin("other", is_gone=lambda worker: worker == "one")
    assert resumed is not None
    assert (resumed.id, resumed.step, resumed.share, resumed.tries) == (begun.id, "train", 0.4, 2)
    later.give_back(begun.id)
    job = later.job(begun.id)
    assert job is not None
    assert job.tries == 1
    later.end(begun.id, "promoted", "better", version="v1")
    following = later.begin("one")
    assert following is not None
    assert following.project == "15"


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_asks(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    running, waiting = queue.enqueue("14"), queue.enqueue("15")
    queue.begin("one")
    for job in (running, waiting):
        queue.cancel(job.id)
    assert [job.state for job in queue.newest(2)] == ["cancelled", "running"]
    assert queue.is_cancelled(running.id)
    queue.end(running.id, "cancelled", "")
    assert queue.begin("one") is None
    queue.cancel(running.id)
    assert not queue.is_cancelled(99)


def test_changes_count_each_annotation_once_and_begin_anew_with_a_job(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    assert [queue.note_change("14", name) for name in ("1", "2", "1")] == [1, 2, 2]
    assert queue.note_change("15", "1") == 1
    queue.enqueue("14")
    assert queue.note_change("14", "3") == 1


def test_the_figures_tell_states_and_progress(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    job = queue.enqueue("14")
    queue.begin("one")
    queue.tell(job.id, step="train", share=0.25)
    queue.enqueue("14")
    queue.enqueue("15")
    registry = CollectorRegistry()
    registry.register(JobFigures(queue))
    text = generate_latest(registry).decode()
    assert 'mfp_jobs{state="running"} 1.0' in text
    assert 'mfp_jobs{state="queued"} 2.0' in text
    shares = [line for line in text.splitlines() if line.startswith("mfp_job_share")]
    assert shares == ['mfp_job_share{project="14",step="train"} 0.25']


def test_several_workers_take_jobs_of_different_projects(tmp_path: Path) -> None:
    queues = [JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS)) for _ in range(2)]
    first, second = (queues[0].enqueue(project) for project in ("14", "15"))
    begun = [queue.begin(name) for queue, name in zip(queues, ("one", "other"), strict=True)]
    assert [job and (job.id, job.worker) for job in begun] == [
        (first.id, "one"),
        (second.id, "other"),
    ]
    waiting = queues[0].enqueue("14")
    assert queues[1].begin("third") is None
    queues[0].end(first.id, "kept", "", worker="one")
    following = queues[1].begin("third")
    assert following is not None
    assert following.id == waiting.id


def test_a_worker_that_is_not_heard_of_loses_its_job_to_another_and_may_not_end_it(
    tmp_path: Path,
) -> None:
    now = [1000.0]
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS), clock=lambda: now[0])
    job = queue.enqueue("14").id
    queue.begin("one")
    now[0] += LEASE_S - 1
    assert queue.hear(job, "one")
    now[0] += LEASE_S - 1
    assert queue.begin("other") is None
    now[0] += 2
    taken = queue.begin("other")
    assert taken is not None
    assert (taken.id, taken.worker, taken.tries) == (job, "other", 2)
    assert not queue.hear(job, "one")
    with pytest.raises(LostJobError, match="another worker"):
        queue.tell(job, step="train", share=0.9, worker="one")
    with pytest.raises(LostJobError):
        queue.end(job, "promoted", "", worker="one")
    queue.give_back(job, worker="one")
    queue.release(job, worker="one")
    assert queue.begin("third") is None
    queue.end(job, "kept", "", worker="other")
    assert queue.job(job).state == "kept"  # type: ignore[union-attr]


def test_a_job_whose_process_ended_is_free_at_once(tmp_path: Path) -> None:
    queue = JobQueue(FileDatabase(tmp_path / "jobs.sqlite3", JOBS))
    job = queue.enqueue("14").id
    queue.begin("one")
    queue.release(job, worker="one")
    again = queue.begin("other")
    assert again is not None
    assert (again.id, again.tries) == (job, 2)
