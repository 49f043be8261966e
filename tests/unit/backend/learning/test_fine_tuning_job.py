"""Jobs that cannot go on just now, and names of fine-tuned weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.learning import fine_tuning_job as job_module
from backend.learning import work as work_module
from backend.learning.fine_tuning_job import free_version, run_job, take_folder
from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue, LostJobError
from backend.models.version import beginning, check_name
from backend.settings import Settings
from backend.storage.errors import StorageError
from backend.storage.shared_state import SharedState
from mfp_model.errors import MfpError
from tests.registries import registry_in


class _NeverAsked:
    """Stands for the signals, which belong to whoever runs the tests."""

    is_asked = False


def _begun(folder: Path) -> tuple[SharedState, JobQueue, Job]:
    """A job that a worker has taken from a new queue."""
    state = SharedState(folder / "data")
    queue = JobQueue(state.jobs())
    queue.enqueue("7")
    job = queue.begin("me")
    assert job is not None
    return state, queue, job


def test_a_job_whose_storage_fails_has_tried_and_one_that_is_lost_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, queue, job = _begun(tmp_path)
    failures: list[MfpError] = [StorageError("sessions are away"), LostJobError("lost")]

    def fail(*_: object, **__: object) -> None:
        raise failures.pop(0)

    monkeypatch.setattr(job_module, "StopSignal", _NeverAsked)
    monkeypatch.setattr(job_module, "collect", fail)
    settings = Settings(data_dir=state.data.root)
    with pytest.raises(StorageError, match="sessions are away"):  # its process ends with an error
        run_job(job.id, "me", settings, state)
    assert not run_job(job.id, "me", settings, state)
    still = queue.job(job.id)
    assert still is not None
    assert still.state == "running"


def test_a_job_with_too_little_to_learn_from_says_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, queue, job = _begun(tmp_path)
    data = state.data.job(job.id) / "data"
    problem = "task 3: region r: label 'Old': expected one of New"

    def export(*_: object, **__: object) -> Path:
        data.mkdir()
        (data / "annotations.json").write_text('{"images": [], "annotations": []}')
        (data / "export.json").write_text(json.dumps({"messages": [problem]}))
        return data

    monkeypatch.setattr(job_module, "StopSignal", _NeverAsked)
    monkeypatch.setattr(job_module, "collect", export)
    assert run_job(job.id, "me", Settings(data_dir=state.data.root), state)
    failed = queue.job(job.id)
    assert failed is not None
    assert failed.state == "failed"
    assert failed.message.endswith(f"expected at least 4; left out, see the log: {problem}")


def test_a_job_of_a_new_queue_never_learns_from_what_another_one_has_exported(
    tmp_path: Path,
) -> None:
    state = SharedState(tmp_path / "data")
    for project, n_files in (("7", 1), ("7", 2), ("14", 1)):  # the second goes on with the first
        state.data.jobs_file.unlink(missing_ok=True)
        queue = JobQueue(state.jobs(), clock=lambda: 5.0)
        queue.enqueue(project)
        job = queue.begin("me")
        assert job is not None
        assert job.id == 1
        folder = state.data.job(job.id)
        take_folder(folder, job)
        (folder / f"export of {project} {n_files}").touch()
        assert len(list(folder.glob("export*"))) == n_files
    take_folder(folder, replace(job, created=6.0))
    assert [path.name for path in folder.iterdir()] == ["job.json"]


def test_a_job_that_is_given_up_leaves_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = SharedState(tmp_path / "data")
    queue = JobQueue(state.jobs())
    queue.enqueue("7")
    for _ in range(5):
        begun = queue.begin("me", is_gone=lambda worker: True)
        assert begun is not None
    take_folder(state.data.job(begun.id), begun)
    stop = _NeverAsked()
    monkeypatch.setattr(work_module, "end_with_parent", lambda parent: None)
    monkeypatch.setattr(work_module, "StopSignal", lambda: stop)
    monkeypatch.setattr(work_module, "has_ended", lambda worker: True)
    monkeypatch.setattr(stop, "is_asked", False)
    monkeypatch.setattr(work_module.time, "sleep", lambda _: setattr(stop, "is_asked", True))
    work_module.work(state)
    still = queue.job(begun.id)
    assert still is not None
    assert still.state == "failed"
    assert not state.data.job(begun.id).exists()


def test_a_job_of_a_new_queue_never_takes_the_name_of_older_weights(tmp_path: Path) -> None:
    registry = registry_in(tmp_path / "models")
    (tmp_path / "checkpoint").write_text("old")
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1"
    registry.add("v-p1-1", tmp_path / "checkpoint", tmp_path / "report", {"queued": 5.0})
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1"  # its own, once more
    assert free_version(registry, "v-p1-1", queued=9.0) == "v-p1-1-2"
    registry.add("v-p1-1-2", tmp_path / "checkpoint", tmp_path / "report", {"queued": 9.0})
    assert free_version(registry, "v-p1-1", queued=9.0) == "v-p1-1-2"
    assert free_version(registry, "v-p1-1", queued=11.0) == "v-p1-1-3"


def test_weights_of_which_nothing_is_known_keep_their_name(tmp_path: Path) -> None:
    registry = registry_in(tmp_path / "models")
    (tmp_path / "checkpoint").write_text("old")
    registry.add("v-p1-1", tmp_path / "checkpoint", tmp_path / "report", {})
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1-2"


@pytest.mark.parametrize("version", ["lite2-3", "cells 2026 (größer)", "細胞", ".x", "x" * 90])
def test_weights_of_any_name_give_a_job_a_name_that_can_be_kept(version: str) -> None:
    check_name(f"{beginning(version)}-p123456-12345-2")


def test_a_name_that_can_be_kept_stays() -> None:
    assert beginning("lite2-3.a_b") == "lite2-3.a_b"
