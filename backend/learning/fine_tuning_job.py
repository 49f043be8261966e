"""A fine-tuning job: export the project's masks, learn, judge, keep, and promote what is better."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.learning.job_logs import JobLogs
from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue, LostJobError
from backend.learning.material import collect, first_left_out
from backend.learning.stop_signal import StopSignal
from backend.models.registry import ModelRegistry, model_registry
from backend.models.version import beginning
from backend.settings import Settings
from backend.storage.errors import StorageError
from backend.storage.shared_state import SharedState
from mfp_model.errors import DataError, MfpError
from mfp_model.files import write_atomically
from mfp_model.fine_tuning.job import FineTuneJob, Progress, StoppedError
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version

if TYPE_CHECKING:
    from mfp_model.fine_tuning.gate import Verdict

_log = logging.getLogger(__name__)
_EXPORT_SHARE = 0.05


def run_job(number: int, worker: str, settings: Settings, state: SharedState) -> bool:
    """Run a job of the queue to its end.

    Args:
        number: The job's.
        worker: Who runs it; where another one does by now, nothing more is done.
        settings: What it learns from, and how.
        state: Where the queue is.

    Returns:
        False where it was asked to stop, to be gone on with later.

    Raises:
        StorageError: The queue, or what it learns from, cannot be read or written just now. It goes
            on later, too, but that was a try: it may be so each time.
    """
    queue = JobQueue(state.jobs())
    job = queue.job(number)
    assert job is not None, "only `mfp work` starts this, with a job of the queue"
    stop = StopSignal()
    try:
        try:
            _JobRun(replace(job, worker=worker), settings, state, queue, stop).run()
        except StoppedError:
            if not queue.is_cancelled(number):
                return False
            queue.end(number, "cancelled", "cancelled", worker=worker)
        except (LostJobError, StorageError):
            raise
        except MfpError as error:
            _log.error("job %d: %s", number, error)
            queue.end(number, "failed", str(error), worker=worker)
        except Exception as error:
            _log.exception("job %d", number)
            queue.end(number, "failed", f"{type(error).__name__}, see the log", worker=worker)
    except LostJobError as error:  # it goes on elsewhere
        _log.error("job %d: %s", number, error)
        return False
    state.data.job_lock(number).unlink(missing_ok=True)
    shutil.rmtree(state.data.job(number), ignore_errors=True)
    return True


class _JobRun:
    def __init__(
        self,
        job: Job,
        settings: Settings,
        state: SharedState,
        queue: JobQueue,
        stop: StopSignal,
    ) -> None:
        self._job = job
        self._settings = settings
        self._folder = state.data.job(job.id)
        self._state = state
        self._registry = model_registry(state)
        self._queue = queue
        self._stop = stop
        self._logs = JobLogs(state.data, state.bucket)
        self._progress = ("", -1)

    def run(self) -> None:
        job = self._job
        take_folder(self._folder, job)
        tuning = self._tuning()
        decision = self._learned(tuning)
        about = {**tuning.read_manifest(), "queued": job.created}
        self._registry.add(tuning.version, tuning.out, tuning.report, about)
        self._tell("promote", 1.0)  # refused where another worker runs it by now
        if decision.passes:
            self._registry.promote(tuning.version, project=job.project)
        state = "promoted" if decision.passes else "kept"
        _log.info("job %d: %s: %s", job.id, state, decision.reason)
        self._queue.end(job.id, state, decision.sentence, version=tuning.version, worker=job.worker)

    def _learned(self, tuning: FineTuneJob) -> Verdict:
        """Learn and judge; where there is too little to learn from, say what was left out."""
        from mfp_model.fine_tuning.fine_tune import fine_tune  # PyTorch, only once there is data

        try:
            return fine_tune(
                tuning,
                report=self._report,
                should_stop=self._should_stop,
                on_problem=lambda problem: _log.warning(
                    "job %d: not learned from: %s", self._job.id, problem
                ),
            )
        except DataError as error:
            if left_out := first_left_out(tuning.data):
                raise DataError(f"{error}; left out, see the log: {left_out}") from None
            raise

    def _tuning(self) -> FineTuneJob:
        """The run, once what it learns from is collected."""
        job = self._job
        data = collect(
            self._folder,
            project=job.project,
            settings=self._settings,
            sessions=self._state.sessions() if self._state.has_sessions else None,
            report=self._note_export,
        )
        shipped = self._settings.checkpoint or DEFAULT_WEIGHTS
        base = self._registry.serving_checkpoint("") or shipped  # what all projects start from
        wanted = f"{beginning(weights_version(base))}-p{job.project}-{job.id}"
        return FineTuneJob(
            data=data,
            base=base,
            served=self._registry.serving_checkpoint(job.project) or base,
            out=self._folder / "candidate.safetensors",
            version=free_version(self._registry, wanted, queued=job.created),
            work=self._folder / "work",
            replay=tuple((folder, 1.0) for folder in self._settings.train_replay),
            n_samples=self._settings.train_samples or None,
            device=self._settings.device,
            engine=self._settings.engine,
            chooses_threads=True,  # clicks are answered on the same cores
        )

    def _note_export(self, share: float) -> None:
        self._tell("export", _EXPORT_SHARE * share)
        if self._should_stop():
            raise StoppedError("stopped during the export")

    def _report(self, progress: Progress) -> None:
        self._tell(progress.step, _EXPORT_SHARE + (1 - _EXPORT_SHARE) * progress.share)

    def _tell(self, step: str, share: float) -> None:
        """Note the progress, each percent once."""
        progress = (step, int(100 * share))
        if progress != self._progress:
            self._progress = progress
            self._queue.tell(self._job.id, step=step, share=share, worker=self._job.worker)
            _log.info("job %d: %s, %d %%", self._job.id, *progress)
            self._logs.share(self._job.id)

    def _should_stop(self) -> bool:
        return self._stop.is_asked or self._queue.is_cancelled(self._job.id)


def take_folder(folder: Path, job: Job) -> None:
    """Make a job's folder, or go on in it; what another job of this number left is removed.

    Numbers of jobs begin anew with a new queue, where the old one's file was damaged.

    Args:
        folder: The job's.
        job: As the queue has it.
    """
    mark, key = folder / "job.json", json.dumps([job.project, job.created])
    if folder.exists() and not (mark.is_file() and mark.read_text() == key):
        shutil.rmtree(folder)
    write_atomically(mark, key.encode())


def free_version(registry: ModelRegistry, wanted: str, *, queued: float) -> str:
    """Return the name, with a number behind it where another job's weights have it.

    Numbers of jobs begin anew with a new queue, where the old one's file was damaged.

    Args:
        registry: What has names already.
        wanted: The name.
        queued: When the job was queued; weights of its own, from a try that was cut off behind
            them, keep their name.
    """
    names = registry.names()
    for name in (wanted, *(f"{wanted}-{number}" for number in range(2, len(names) + 2))):
        if name not in names or registry.version(name).manifest.get("queued") == queued:
            return name
    raise AssertionError("there are more names than versions")
