"""Replicas on a real Ray, on this machine's loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.backend.cluster.batch_works import load_disks

_ROOT = Path(__file__).parents[4]
_LIMIT_S = 180

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What came of a run with two replicas, then three, of which one is killed."""
    command = [sys.executable, "-m", "tests.unit.backend.cluster.ray_run", "--replicas", "2"]
    ran = subprocess.run(
        [*command, "--seconds", "1", "--sequences", "40"],
        cwd=_ROOT,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    (line,) = (line for line in ran.stdout.splitlines() if line.startswith("{"))  # Ray prints, too
    answer: dict[str, Any] = json.loads(line)
    return answer


@pytest.mark.slow
def test_many_replicas_give_the_bytes_of_one_process(report: dict[str, Any]) -> None:
    assert report["same"] == 40


@pytest.mark.slow
def test_photos_of_many_megabytes_reach_the_replicas(report: dict[str, Any]) -> None:
    assert report["photo"]


@pytest.mark.slow
def test_no_click_is_lost_when_a_replica_is_killed_in_the_middle_of_one(
    report: dict[str, Any],
) -> None:
    assert report["survived"] == [True] * 8
    assert report["pause_s"] < 20


@pytest.mark.slow
def test_a_replica_that_is_added_takes_its_share_and_moves_nobody_else(
    report: dict[str, Any],
) -> None:
    assert report["to_old"] == 0
    assert report["moved"] == pytest.approx(report["expected"], abs=0.17)  # 100 places on the ring


@pytest.mark.slow
def test_two_replicas_answer_more_than_one(report: dict[str, Any]) -> None:
    assert report["rates"]["2"] > 1.5 * report["rates"]["1"]


@pytest.mark.slow
def test_a_batch_comes_in_order_though_workers_are_killed(report: dict[str, Any]) -> None:
    batch = report["batch"]
    assert batch["items"] == list(range(12))
    local = load_disks(Path("/nonexistent"))
    whole = [item for item in range(12) if item not in (3, 5, 7)]
    assert [batch["answers"][item] for item in whole] == [[*local.answer(item)] for item in whole]
    assert batch["answers"][3][0] == 3  # its worker was killed once, and another one took it


@pytest.mark.slow
def test_an_item_that_ends_each_worker_or_is_faulty_costs_only_itself(
    report: dict[str, Any],
) -> None:
    answers = report["batch"]["answers"]
    assert "3 workers were lost" in answers[5]
    assert "ZeroDivisionError: a fault" in answers[7]


@pytest.mark.slow
def test_an_item_that_is_never_answered_goes_to_another_worker(report: dict[str, Any]) -> None:
    assert report["batch"]["sleepy"] == [[1, 1], [2, 2], [3, 3]]


@pytest.mark.slow
def test_a_worker_that_computes_unlike_the_first_does_not_work(report: dict[str, Any]) -> None:
    assert len(set(report["batch"]["unlike"])) == 1


@pytest.mark.slow
def test_errors_of_a_batchs_work_are_those_of_one_process(report: dict[str, Any]) -> None:
    assert report["batch"]["nothing"] == "CheckpointError: no such file"
    assert report["batch"]["strict"] == "DataError: item 2: cannot be used"
