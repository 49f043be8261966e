from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from backend.learning.figures import JobFigures
from backend.learning.jobs import JobQueue


def test_a_project_waits_once_and_may_wait_again_while_it_runs(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.sqlite3")
    first = queue.enqueue("14")
    assert queue.enqueue("14").id == first.id
    other = queue.enqueue("15")
    running = queue.begin()
    assert running is not None
    assert (running.id, running.state, running.tries) == (first.id, "running", 1)
    again = queue.enqueue("14")
    assert again.id not in (first.id, other.id)


def test_the_queue_outlives_the_process_and_goes_on_with_what_ran(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.sqlite3")
    queue.enqueue("14")
    queue.enqueue("15")
    begun = queue.begin()
    assert begun is not None
    queue.tell(begun.id, step="train", share=0.4)
    later = JobQueue(tmp_path / "jobs.sqlite3")
    resumed = later.begin()
    assert resumed is not None
    assert (resumed.id, resumed.step, resumed.share, resumed.tries) == (begun.id, "train", 0.4, 2)
    later.give_back(begun.id)
    job = later.job(begun.id)
    assert job is not None
    assert job.tries == 1
    later.end(begun.id, "promoted", "better", version="v1")
    following = later.begin()
    assert following is not None
    assert following.project == "15"


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_asks(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.sqlite3")
    running, waiting = queue.enqueue("14"), queue.enqueue("15")
    queue.begin()
    for job in (running, waiting):
        queue.cancel(job.id)
    assert [job.state for job in queue.newest(2)] == ["cancelled", "running"]
    assert queue.is_cancelled(running.id)
    queue.end(running.id, "cancelled", "")
    assert queue.begin() is None
    queue.cancel(running.id)
    assert not queue.is_cancelled(99)


def test_changes_count_each_annotation_once_and_begin_anew_with_a_job(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.sqlite3")
    assert [queue.note_change("14", name) for name in ("1", "2", "1")] == [1, 2, 2]
    assert queue.note_change("15", "1") == 1
    queue.enqueue("14")
    assert queue.note_change("14", "3") == 1


def test_the_figures_tell_states_and_progress(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.sqlite3")
    job = queue.enqueue("14")
    queue.begin()
    queue.tell(job.id, step="train", share=0.25)
    registry = CollectorRegistry()
    registry.register(JobFigures(queue))
    text = generate_latest(registry).decode()
    assert 'mfp_jobs{state="running"} 1.0' in text
    assert 'mfp_job_share{project="14",step="train"} 0.25' in text
