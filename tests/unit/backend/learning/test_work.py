"""`mfp work` as processes, killed at will, with a stand-in for Label Studio."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue
from backend.learning.work import STOPPED_CODE, alone
from backend.storage.moving import upgrade_server
from backend.storage.shared_state import SharedState, open_server
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from tests.fakes import LoopbackSite, QuietHandler, path_without_nice
from tests.postgres import Postgres
from tests.registries import registry_in
from tests.unit.backend.exchange.labeled import row
from tests.unit.mfp_model.coco_folder import make_coco_folder

pytestmark = pytest.mark.slow

_CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels></View>"""
_PROJECT = "7"


def _tasks(folder: Path) -> list[dict[str, Any]]:
    import numpy as np

    root = make_coco_folder(folder, n_images=6)
    tasks = []
    for number in range(6):
        mask = np.zeros((60, 80), bool)
        mask[15:45, 10 + 5 * number : 40 + 5 * number] = True
        content = base64.b64encode((root / "images" / f"{number}.png").read_bytes()).decode()
        tasks.append(
            {
                "id": number + 1,
                "data": {"image": f"data:image/png;base64,{content}"},
                "annotations": [{"id": number + 1, "result": [row(mask)], "updated_at": "2026"}],
            }
        )
    return tasks


@pytest.fixture
def label_studio(tmp_path: Path) -> Iterator[str]:
    tasks = _tasks(tmp_path / "images")

    class Api(QuietHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.startswith("/api/projects/"):
                body: dict[str, Any] = {"label_config": _CONFIG}
            else:
                asked = parse_qs(parts.query)
                after = json.loads(asked["query"][0])["filters"]["items"][0]["value"]
                rest = [task for task in tasks if task["id"] > after]
                body = {"total": len(rest), "tasks": rest[: int(asked["page_size"][0])]}
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with LoopbackSite(Api).serving() as site:
        yield site.url


class _Workplace:
    """A data folder, its queue, and `mfp work` on it."""

    def __init__(self, folder: Path, checkpoint: Path, url: str, *, database_url: str = "") -> None:
        self.state = SharedState(folder, database_url)
        self.data = self.state.data
        self.queue = JobQueue(self.state.jobs())
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"},
            "PATH": path_without_nice(folder.with_name(f"{folder.name}-bin")),
            "MFP_DATA_DIR": str(folder),
            "MFP_DATABASE_URL": database_url,
            "MFP_CHECKPOINT": str(checkpoint),
            "MFP_TRAIN_SAMPLES": "32",
            "OMP_NUM_THREADS": "1",  # for a network this tiny several only wait for each other
            "MFP_DEVICE": "cpu",
            "MFP_ENGINE": "pytorch-f32",  # made in no time
            "LABEL_STUDIO_URL": url,
            "LABEL_STUDIO_API_KEY": "key",
        }

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "backend.cli", "work"]
        process = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(90)

    def wait_until(self, job: int, is_there: Callable[[Job], bool]) -> Job:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            entry = self.queue.job(job)
            assert entry is not None
            if is_there(entry) or entry.finished is not None:
                return entry
            time.sleep(0.02)
        raise TimeoutError(self.data.log(job).read_text()[-3000:])

    def kill_job(self) -> None:
        """Kill -9 the process of the running job."""
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True)
        for line in listed.stdout.splitlines():
            if "backend.cli work --job" in line:
                environ = Path(f"/proc/{line.split()[0]}/environ")
                if environ.exists() and str(self.data.root) in (text := environ.read_text()):
                    assert "OMP_WAIT_POLICY=passive" in text
                    os.kill(int(line.split()[0]), signal.SIGKILL)


@pytest.fixture
def workplace(tmp_path: Path, tiny_checkpoint: Checkpoint, label_studio: str) -> _Workplace:
    save_checkpoint(tiny_checkpoint, tmp_path / "tiny.safetensors")
    return _Workplace(tmp_path / "data", tmp_path / "tiny.safetensors", label_studio)


@pytest.fixture
def cluster(
    tmp_path: Path, tiny_checkpoint: Checkpoint, label_studio: str, postgres: Postgres
) -> _Workplace:
    """A folder that machines mount, and their database."""
    url = postgres.new_database()
    upgrade_server(open_server(url))
    save_checkpoint(tiny_checkpoint, tmp_path / "tiny.safetensors")
    checkpoint = tmp_path / "tiny.safetensors"
    return _Workplace(tmp_path / "data", checkpoint, label_studio, database_url=url)


def _is_in(step: str) -> Callable[[Job], bool]:
    return lambda job: job.step == step


def test_a_job_killed_at_every_step_goes_on_and_ends_as_it_should(workplace: _Workplace) -> None:
    job = workplace.queue.enqueue(_PROJECT).id
    registry = registry_in(workplace.data.models)
    with workplace.working():
        for step in ("replay", "train"):
            workplace.wait_until(job, _is_in(step))
            workplace.kill_job()
            assert registry.serving().version(_PROJECT) is None
    with workplace.working() as process:  # the server was restarted meanwhile
        workplace.wait_until(job, _is_in("judge the new"))
        process.kill()
    assert registry.serving().version(_PROJECT) is None
    with workplace.working():
        ended = workplace.wait_until(job, lambda entry: False)
    assert ended.state in ("promoted", "kept"), ended
    version = f"tiny-1-p{_PROJECT}-{job}"
    assert registry.names() == {version}
    manifest = registry.version(version).manifest
    assert manifest["base"] == "tiny-1"
    assert manifest["data"]["images"] == 6
    serves = registry.serving().version(_PROJECT)
    assert serves == (version if ended.state == "promoted" else None)
    assert not workplace.data.job(job).exists()
    assert "judge the new" in workplace.data.log(job).read_text()


def test_a_running_job_is_cancelled_and_the_next_one_begins(workplace: _Workplace) -> None:
    first = workplace.queue.enqueue(_PROJECT).id
    with workplace.working():
        workplace.wait_until(first, _is_in("replay"))
        workplace.queue.cancel(first)
        ended = workplace.wait_until(first, lambda entry: False)
        assert ended.state == "cancelled"
        second = workplace.queue.enqueue("8").id
        workplace.wait_until(second, _is_in("replay"))
    assert workplace.queue.job(second).state == "running"  # type: ignore[union-attr]


def test_what_cannot_be_done_is_told(workplace: _Workplace, tmp_path: Path) -> None:
    workplace._environment["LABEL_STUDIO_API_KEY"] = ""
    job = workplace.queue.enqueue(_PROJECT).id
    with workplace.working():
        ended = workplace.wait_until(job, lambda entry: False)
    assert ended.state == "failed"
    assert "LABEL_STUDIO_API_KEY" in ended.message


def test_a_trainer_whose_parent_was_killed_in_its_first_moment_does_nothing(
    workplace: _Workplace,
) -> None:
    job = workplace.queue.enqueue(_PROJECT).id
    command = [sys.executable, "-m", "backend.cli", "work", "--job", str(job), "--parent", "1"]
    ended = subprocess.run(command, env=workplace._environment, stderr=subprocess.DEVNULL)
    assert ended.returncode == STOPPED_CODE
    assert not workplace.data.job(job).exists()


def test_two_trainers_never_work_on_one_job(workplace: _Workplace) -> None:
    job = workplace.queue.enqueue(_PROJECT).id
    command = [sys.executable, "-m", "backend.cli", "work", "--job", str(job)]
    with alone(workplace.data.job_lock(job)) as is_mine:
        assert is_mine
        ended = subprocess.run(command, env=workplace._environment, capture_output=True, text=True)
    assert ended.returncode == STOPPED_CODE
    assert "waits for another process" in ended.stderr
    assert not workplace.data.job(job).exists()


def test_the_job_of_a_killed_worker_goes_on_at_another(cluster: _Workplace) -> None:
    job = cluster.queue.enqueue(_PROJECT).id
    with cluster.working() as first:
        begun = cluster.wait_until(job, lambda entry: entry.state == "running")
        with cluster.working():
            time.sleep(2)  # in which it takes nothing away from the first one
            still = cluster.queue.job(job)
            assert still is not None
            assert (still.worker, still.tries) == (begun.worker, 1)
            first.kill()
            again = cluster.wait_until(job, lambda entry: entry.worker != begun.worker)
            assert (again.state, again.tries) == ("running", 2)
    assert not (cluster.data.root / "jobs.sqlite3").exists()
