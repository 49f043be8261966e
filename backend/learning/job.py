"""A fine-tuning job: export the project's masks, learn, judge, keep, and promote what is better."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from backend.exchange.choice import ChoiceRules
from backend.exchange.entries import ExportOptions
from backend.exchange.export import export_coco
from backend.exchange.tasks import project_tasks
from backend.images.sources import image_sources
from backend.label_studio.api import label_studio_access, label_studio_api
from backend.label_studio.label_config import parse_label_config
from backend.learning.jobs import Job, JobQueue
from backend.learning.stop_signal import StopSignal
from backend.models.registry import ModelRegistry
from backend.recording.objects import read_objects
from backend.recording.targets import add_clicks
from backend.settings import Settings
from backend.storage.data_folder import DataFolder
from mfp_model.errors import MfpError
from mfp_model.fine_tuning.fine_tune import fine_tune
from mfp_model.fine_tuning.job import FineTuneJob, Progress, StoppedError
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version

_log = logging.getLogger(__name__)
_EXPORT_SHARE = 0.05


def run_job(number: int, settings: Settings, data: DataFolder) -> bool:
    """Run a job of the queue to its end.

    Returns:
        False where it was asked to stop, to be gone on with later.
    """
    queue = JobQueue(data.jobs_file)
    job = queue.job(number)
    assert job is not None, "only `mfp work` starts this, with a job of the queue"
    stop = StopSignal()
    runner = _JobRun(job, settings, data, queue, stop)
    try:
        runner.run()
    except StoppedError:
        if not queue.is_cancelled(number):
            return False
        queue.end(number, "cancelled", "cancelled")
    except MfpError as error:
        _log.error("job %d: %s", number, error)
        queue.end(number, "failed", str(error))
    except Exception as error:
        _log.exception("job %d", number)
        queue.end(number, "failed", f"{type(error).__name__}, see the log")
    shutil.rmtree(data.job(number), ignore_errors=True)
    return True


class _JobRun:
    def __init__(
        self,
        job: Job,
        settings: Settings,
        data: DataFolder,
        queue: JobQueue,
        stop: StopSignal,
    ) -> None:
        self._job = job
        self._settings = settings
        self._folder = data.job(job.id)
        self._sessions = data.sessions_file
        self._registry = ModelRegistry(data.models)
        self._queue = queue
        self._stop = stop
        self._told = ("", -1)

    def run(self) -> None:
        job = self._job
        self._export(self._folder / "data")
        base = self._base()
        version = f"{weights_version(base)}-p{job.project}-{job.id}"
        tuning = FineTuneJob(
            data=self._folder / "data",
            base=base,
            served=self._served(base),
            out=self._folder / "candidate.safetensors",
            version=version,
            work=self._folder / "work",
            replay=tuple((folder, 1.0) for folder in self._settings.train_replay),
            n_samples=self._settings.train_samples or None,
            device=self._settings.device,
        )
        decision = fine_tune(tuning, report=self._report, should_stop=self._should_stop)
        self._registry.add(version, tuning.out, tuning.report, tuning.told())
        if decision.passes:
            self._registry.promote(version, project=job.project)
        state = "promoted" if decision.passes else "kept"
        _log.info("job %d: %s: %s", job.id, state, decision.reason)
        self._queue.end(job.id, state, decision.reason, version=version)

    def _export(self, out: Path) -> None:
        if (out / "export.json").exists():
            return
        api = label_studio_api(self._settings)
        project = int(self._job.project)
        source = project_tasks(api, project)

        def report(n_read: int) -> None:
            share = _EXPORT_SHARE * n_read / max(1, source.total)
            self._tell("export", share)
            if self._should_stop():
                raise StoppedError("stopped during the export")

        summary = export_coco(
            source,
            out,
            config=parse_label_config(api.label_config(project)),
            sources=image_sources(self._settings, label_studio_access(self._settings)),
            options=ExportOptions(
                rules=ChoiceRules(only_submitted=True),
                max_megapixels=self._settings.max_megapixels,
            ),
            report=report,
        )
        self._add_clicks(out)
        for message in summary.messages:
            _log.warning("job %d: not learned from: %s", self._job.id, message)

    def _add_clicks(self, out: Path) -> None:
        """What people clicked, where it was recorded, so that the gate can replay it."""
        if self._sessions.is_file():
            n_found = add_clicks(out, read_objects(self._sessions, project=self._job.project))
            _log.info("job %d: %d masks have recorded clicks", self._job.id, n_found)

    def _base(self) -> Path:
        """What all projects are fine-tuned from: what serves globally."""
        version = self._registry.serving().version("")
        if version is not None:
            return self._registry.version(version).checkpoint
        return self._settings.checkpoint or DEFAULT_WEIGHTS

    def _served(self, base: Path) -> Path:
        """What the candidate must beat: what serves the project."""
        version = self._registry.serving().version(self._job.project)
        return self._registry.version(version).checkpoint if version else base

    def _report(self, progress: Progress) -> None:
        self._tell(progress.step, _EXPORT_SHARE + (1 - _EXPORT_SHARE) * progress.share)

    def _tell(self, step: str, share: float) -> None:
        """Note the progress, each percent once."""
        told = (step, int(100 * share))
        if told != self._told:
            self._told = told
            self._queue.tell(self._job.id, step=step, share=share)
            _log.info("job %d: %s, %d %%", self._job.id, *told)

    def _should_stop(self) -> bool:
        return self._stop.is_asked or self._queue.is_cancelled(self._job.id)
