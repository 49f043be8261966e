"""`mfp work`: takes fine-tuning jobs off the queue, one at a time, each in a process of its own.

`mfp serve` starts one; it ends with its parent. A job whose process was killed, or could not use
its database, goes on where it was, at most five times. Where a worker was killed, another one goes
on: at once on the same machine, on others when the worker was not heard of for a minute.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backend.learning.job_logs import JobLogs
from backend.learning.job_rows import Job
from backend.learning.jobs import LEASE_S, JobQueue
from backend.learning.stop_signal import StopSignal
from backend.learning.worker_name import has_ended, worker_name
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError
from backend.storage.locks import locked
from backend.storage.shared_state import SharedState

STOPPED_CODE = 3  # of a job's process that was asked to stop, and goes on later

_log = logging.getLogger(__name__)
_MAX_TRIES = 5
_LOOK_EVERY_S = 1.0
_TELL_EVERY_S = 5.0
_STOP_WAIT_S = 20.0  # less than half of a lease
_NICENESS = 19
_PR_SET_PDEATHSIG = 1  # in Linux' sys/prctl.h


def end_with_parent(parent: int | None = None) -> None:
    """Let Linux send SIGTERM to this process when its parent ends, however that happens.

    Args:
        parent: Where it is known; if that one has ended already, this process ends at once.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        raise SystemExit(STOPPED_CODE)


def work(state: SharedState, *, parent: int | None = None) -> None:
    """Run jobs until stopped.

    Args:
        state: Where the queue is; several workers may take from it.
        parent: The process that it ends with, where that is known.
    """
    end_with_parent(parent)
    stop = StopSignal()
    queue, logs = JobQueue(state.jobs()), JobLogs(state.data, state.bucket)
    worker = worker_name()
    while not stop.is_asked:
        try:
            job = queue.begin(worker, is_gone=has_ended)
            if job is not None:
                _Supervision(job, queue, state.data, logs, stop).run()
                logs.share(job.id)
                continue
        except StorageError as error:  # locked, or away: it may come back
            _log.error("the queue cannot be used: %s", error)
        time.sleep(_LOOK_EVERY_S)


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold a lock, and tell whether no other process holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
            is_mine = True
        except BlockingIOError:
            is_mine = False
        yield is_mine


class _Supervision:
    """A worker beside the process of its job."""

    def __init__(
        self, job: Job, queue: JobQueue, data: DataFolder, logs: JobLogs, stop: StopSignal
    ) -> None:
        self._job = job
        self._queue = queue
        self._data = data
        self._logs = logs
        self._stop = stop
        self._heard_at = time.monotonic()  # when the queue last heard of this worker
        self._next_telling = self._heard_at + _TELL_EVERY_S

    def run(self) -> None:
        job = self._job
        if job.tries > _MAX_TRIES:
            message = f"its process ended {_MAX_TRIES} times; see the log"
            self._queue.end(job.id, "failed", message, worker=job.worker)
            shutil.rmtree(self._data.job(job.id), ignore_errors=True)
            return
        process = self._started()
        is_mine = True
        while process.poll() is None and is_mine and not self._stop.is_asked:
            time.sleep(_LOOK_EVERY_S / 4)
            is_mine = self._is_mine()
        _end(process)
        if not is_mine:
            _log.error("job %d is left: another worker may go on with it", job.id)
        elif self._stop.is_asked or process.returncode == STOPPED_CODE:
            self._queue.give_back(job.id, worker=job.worker)
        elif process.returncode:
            _log.error(
                "job %d: its process ended with %d (try %d)",
                job.id,
                process.returncode,
                job.tries,
            )
            self._queue.release(job.id, worker=job.worker)

    def _started(self) -> subprocess.Popen[bytes]:
        command = ["nice", "-n", str(_NICENESS), sys.executable, "-m", "backend.cli", "work"]
        whose = ["--parent", str(os.getpid()), "--worker", self._job.worker]
        with self._logs.path(self._job.id).open("ab") as output:
            return subprocess.Popen(
                [*command, "--job", str(self._job.id), *whose],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C is for this process, which then sends SIGTERM
            )

    def _is_mine(self) -> bool:
        """Tell the queue now and then; a worker that cannot must stop before another begins."""
        now = time.monotonic()
        if now < self._next_telling:
            return True
        self._next_telling = now + _TELL_EVERY_S
        try:
            if not self._queue.hear(self._job.id, self._job.worker):
                return self._has_ended()
            self._heard_at = now
        except StorageError as error:
            _log.warning("job %d: the queue cannot be told: %s", self._job.id, error)
        return now - self._heard_at < LEASE_S / 2

    def _has_ended(self) -> bool:
        """Whether the job's process has just noted its end."""
        job = self._queue.job(self._job.id)
        return job is not None and job.worker == self._job.worker and job.finished is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
