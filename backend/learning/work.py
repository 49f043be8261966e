"""`mfp work`: takes fine-tuning jobs off the queue, one at a time, each in a process of its own.

`mfp serve` starts one; it ends with its parent. A job whose process was killed goes on where it
was, at most five times.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.learning.jobs import Job, JobQueue
from backend.learning.stop_signal import StopSignal
from backend.storage.data_folder import DataFolder

STOPPED_CODE = 3  # of a job's process that was asked to stop, and goes on later

_log = logging.getLogger(__name__)
_MAX_TRIES = 5
_LOOK_EVERY_S = 1.0
_STOP_WAIT_S = 60.0
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


def work(data: DataFolder) -> None:
    """Run jobs until stopped.

    Args:
        data: Where the queue lies; of several workers on it, one has its turn, the others wait.
    """
    end_with_parent()
    stop = StopSignal()
    queue = JobQueue(data.jobs_file)
    while not stop.is_asked:
        with alone(data.root / "work.lock") as is_mine:
            job = queue.begin() if is_mine else None
            if job is not None:
                _run(job, queue, data, stop)
                continue
        time.sleep(_LOOK_EVERY_S)


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold a lock, and tell whether no other process holds it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _run(job: Job, queue: JobQueue, data: DataFolder, stop: StopSignal) -> None:
    if job.tries > _MAX_TRIES:
        queue.end(job.id, "failed", f"its process ended {_MAX_TRIES} times; see the log")
        return
    command = ["nice", "-n", str(_NICENESS), sys.executable, "-m", "backend.cli", "work"]
    with data.log(job.id).open("ab") as output:
        process = subprocess.Popen(
            [*command, "--job", str(job.id), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    while process.poll() is None:
        if stop.is_asked:
            process.terminate()
            try:
                process.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
            break
        time.sleep(_LOOK_EVERY_S / 4)
    code = process.wait()
    if stop.is_asked or code == STOPPED_CODE:
        queue.give_back(job.id)
    elif code:
        _log.error("job %d: its process ended with %d (try %d)", job.id, code, job.tries)
