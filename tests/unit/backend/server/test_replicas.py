"""What a front shows of the replicas that compute for it, and how it watches them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.cli import main
from backend.cluster.replicas_state import ReplicasState, read_replicas
from backend.models.served import ServedModels
from backend.server import replicas as module
from backend.server.app import create_app
from backend.server.replicas import ReplicasChoice, ReplicasProcess, cluster_front
from tests.fakes import DiskSegmenter, temporary_settings

_LIMIT_S = 20


def _front(shared_dir: Path) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    settings = temporary_settings(username="team", password="secret")
    client = create_app(settings, models=models, shared_dir=shared_dir).test_client()
    models.segmenter("1", wait_s=_LIMIT_S)
    return client


def _page(client: FlaskClient) -> str:
    return client.get("/", auth=("team", "secret")).get_data(as_text=True)


def test_a_front_lives_without_replicas_and_is_ready_with_one(tmp_path: Path) -> None:
    front = _front(tmp_path)
    assert front.get("/ready").status_code == 200  # it computes by itself
    ReplicasState(n_wanted=2).write(tmp_path)
    assert front.get("/health").status_code == 200
    assert front.get("/health").json["replicas"] == "0 of 2"
    assert not front.get("/health").json["ready"]
    assert front.get("/ready").status_code == 503
    ReplicasState(phase="serving", n_running=1, n_wanted=2).write(tmp_path)
    assert front.get("/ready").json == {"ready": True}
    assert "1 of 2" in _page(front)


def test_the_page_says_why_a_replica_does_not_serve(tmp_path: Path) -> None:
    front = _front(tmp_path)
    assert "Replicas" not in _page(front)
    message = "a replica does not compute as the others: processor a, expected b"
    ReplicasState(phase="serving", n_running=1, n_wanted=2, message=message).write(tmp_path)
    assert message in _page(front)


def _process(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch, code: str, errors: list[str]
) -> ReplicasProcess:
    """A process that runs `code` in place of `mfp replicas`."""
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.05)

    class Process(ReplicasProcess):
        def _started(self) -> object:  # type: ignore[override]
            self._command = [sys.executable, "-c", code]
            return super()._started()

    return Process(
        ReplicasChoice(n_replicas=2),
        temporary_settings(),
        {},
        shared_dir,
        lambda error: errors.append(str(error)),
    )


def test_what_looks_after_replicas_is_started_again_and_workers_hear_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = list[str]()
    process = _process(tmp_path, monkeypatch, "", errors)
    ReplicasState(phase="failed", message="no Ray there").write(tmp_path)
    until = time.monotonic() + _LIMIT_S
    while not process.was_restarted():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert "no Ray there" in errors
    assert any("started again in" in error for error in errors)
    assert read_replicas(tmp_path) == ReplicasState()  # not what the one before told
    process.end()


def test_a_refusal_is_put_onto_the_page_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = list[str]()
    process = _process(tmp_path, monkeypatch, "import time; time.sleep(60)", errors)
    ReplicasState(phase="serving", n_running=1, n_wanted=2, message="one differs").write(tmp_path)
    assert not any([process.was_restarted() for _ in range(3)])
    assert errors == ["one differs"]
    process.end()


def test_only_fronts_that_may_have_others_ask_for_numbers(tmp_path: Path) -> None:
    assert cluster_front(None, tmp_path) is None
    alone = cluster_front(ReplicasChoice(), tmp_path)
    together = cluster_front(ReplicasChoice(address="10.0.0.1:6379"), tmp_path)
    assert alone is not None
    assert together is not None
    assert alone.next_number is None
    assert together.next_number is not None


@pytest.mark.parametrize("option", ["--replicas=2", "--address=10.0.0.1:6379"])
def test_options_of_replicas_need_ray(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", option]) == 1
    assert "expected --ray with it" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_a_number_of_replicas_is_auto_or_at_least_one(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--ray", f"--replicas={number}"]) == 1
    assert "expected auto or" in capsys.readouterr().err
