from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.label_studio.points import RequestError
from backend.learning.job_logs import JobLogs
from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue
from backend.learning.trainer import Trainer, UnknownProjectError
from backend.storage.data_folder import DataFolder
from backend.storage.file_database import FileDatabase
from backend.storage.tables import JOBS
from mfp_model.errors import ConfigError


def _trainer(folder: Path, **every: int) -> Trainer:
    data = DataFolder(folder)
    counts = {name.removeprefix("p"): count for name, count in every.items()}
    return Trainer(JobQueue(FileDatabase(data.jobs_file, JOBS)), JobLogs(data, None), counts)


def _take(trainer: Trainer, body: Any) -> Job | None:  # noqa: ANN401
    """What comes of a webhook of a project that is connected."""
    notice = trainer.notice(body)
    trainer.queue.know(notice.project)
    return trainer.take(notice)


def test_start_training_queues_the_project(tmp_path: Path, capture: Callable[[str], Any]) -> None:
    job = _take(_trainer(tmp_path), capture("webhook_start_training"))
    assert job is not None
    assert (job.project, job.state) == ("14", "queued")


def test_a_project_is_trained_after_so_many_changed_annotations(
    tmp_path: Path, capture: Callable[[str], Any]
) -> None:
    trainer = _trainer(tmp_path, p=3, p15=0)
    body = capture("webhook_annotation_created")
    project = str(body["project"]["id"])
    jobs = []
    for number in (1, 2, 2, 3):
        body["annotation"]["id"] = number
        jobs.append(_take(trainer, body))
    assert [job is not None for job in jobs] == [False, False, False, True]
    assert jobs[-1] is not None
    assert jobs[-1].project == project
    body["project"]["id"] = 15
    for number in range(9):
        body["annotation"]["id"] = number
        assert _take(trainer, body) is None


def test_other_webhooks_lead_to_nothing(tmp_path: Path, capture: Callable[[str], Any]) -> None:
    trainer = _trainer(tmp_path, p=1)
    for name in ("webhook_annotations_deleted", "webhook_tasks_created"):
        assert _take(trainer, capture(name)) is None


@pytest.mark.parametrize(
    "body", [None, [], {"action": "START_TRAINING"}, {"action": "START_TRAINING", "project": {}}]
)
def test_another_form_is_refused(tmp_path: Path, body: object) -> None:
    with pytest.raises(RequestError):
        _take(_trainer(tmp_path), body)


def test_the_end_of_a_log_is_told(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path)
    assert trainer.logs.end(1) == ""
    (tmp_path / "jobs" / "1.log").write_text("a" * 30_000 + "end")
    assert trainer.logs.end(1).endswith("end")
    assert len(trainer.logs.end(1)) == 20_000


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="MFP_DATA_DIR"):
        DataFolder(tmp_path / "file" / "data")


def test_projects_that_never_asked_for_a_model_are_not_trained(
    tmp_path: Path, capture: Callable[[str], Any]
) -> None:
    trainer = _trainer(tmp_path, p=1)
    for name in (
        "webhook_start_training",
        "webhook_annotation_created",
        "webhook_annotations_deleted",
    ):
        with pytest.raises(UnknownProjectError, match="not connected"):
            trainer.take(trainer.notice(capture(name)))
    trainer.queue.know("14")
    again = _trainer(tmp_path)
    assert again.take(again.notice(capture("webhook_start_training"))) is not None


def test_so_many_jobs_wait_and_no_more(tmp_path: Path) -> None:
    queue = _trainer(tmp_path).queue
    for number in range(200):
        queue.enqueue(str(number))
    with pytest.raises(RequestError, match="200 fine-tunings wait already"):
        queue.enqueue("200")
    assert queue.enqueue("7").id == 8
