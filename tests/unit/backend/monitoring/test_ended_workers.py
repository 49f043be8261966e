from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_COUNTING = """
import fcntl, os, sys
from pathlib import Path
from backend.monitoring.ended_workers import EndedWorkers
from backend.monitoring.metrics import Metrics

folder = Path(sys.argv[1])
ended = EndedWorkers(folder)

def work(n):
    pid = os.fork()
    if pid == 0:
        metrics = Metrics(folder)
        metrics.errors.labels("ImageError").inc(n)
        metrics.answer_seconds.observe(n)
        metrics.waiting.set(n)
        os._exit(0)
    os.waitpid(pid, 0)
    return pid

def figures():
    now = Metrics(folder).figures()
    return (
        now.value("mfp_errors_total", kind="ImageError"),
        now.value("mfp_answer_seconds_count"),
        now.value("mfp_answer_seconds_sum"),
        now.value("mfp_answer_seconds_bucket", le="2.0"),
        now.value("mfp_waiting"),
    )

"""


def _run(code: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", _COUNTING + code, str(folder)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        check=True,
    )


def test_workers_that_end_leave_what_they_counted_and_no_files_of_their_own(tmp_path: Path) -> None:
    _run(
        """
for n in (1, 2, 30):
    ended.add(work(n), living=())
assert {path.name for path in folder.glob("*.db")} == {"counter_ended.db", "histogram_ended.db"}
assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
assert figures() == (33, 3, 33, 2, 0), figures()
""",
        tmp_path,
    )


def test_files_that_are_being_read_are_added_up_with_the_next_ones(tmp_path: Path) -> None:
    _run(
        """
handle = os.open(folder / "metrics.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_SH)
ended.add(work(1), living=())
assert len(list(folder.glob("*.db"))) == 2
os.close(handle)
again = work(2)
ended.add(work(4), living=[again])
assert len(list(folder.glob("*.db"))) == 5  # also those of the one that lives
ended.add(again, living=())
assert len(list(folder.glob("*.db"))) == 2
assert figures()[0] == 7
""",
        tmp_path,
    )


def test_a_full_disk_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    _run(
        """
import resource, signal
pid = work(5)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))  # as when it is full
ended.add(pid, living=())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(list(folder.glob("*.db"))) == 2
assert figures()[0] == 5
""",
        tmp_path,
    )
