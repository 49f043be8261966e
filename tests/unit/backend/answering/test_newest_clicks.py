import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.answering import newest_clicks as module
from backend.answering.newest_clicks import OVERTAKEN, NewestClicks

_ARRIVE = """
import sys
from pathlib import Path
from backend.answering.newest_clicks import NewestClicks
newest = NewestClicks(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    newest.arrive("1/7", frozenset({"a"}))
"""


def _of(*points: str) -> frozenset[str]:
    return frozenset(points)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_request_is_out_of_date_once_another_shares_a_point_of_its_task(
    tmp_path: Path, is_shared: bool
) -> None:
    newest = NewestClicks(tmp_path / "clicks" if is_shared else None)
    first = newest.arrive("1/7", _of("a", "b"))
    newest.arrive("1/8", _of("a"))
    newest.arrive("1/7", _of("x"))
    assert not newest.has_newer(first, "1/7", _of("a", "b"))
    second = newest.arrive("1/7", _of("b", "c"))
    assert newest.has_newer(first, "1/7", _of("a", "b"))
    assert not newest.has_newer(second, "1/7", _of("b", "c"))


@pytest.mark.parametrize("next_number", [None, time.time_ns])
def test_a_request_that_was_overtaken_stops_nothing(
    next_number: Callable[[], int] | None,
) -> None:
    newest = NewestClicks(next_number=next_number)
    third = newest.arrive("1/7", _of("a", "b", "c"))
    for points in (_of("a"), _of("a", "b")):
        assert newest.arrive("1/7", points) == OVERTAKEN
        assert newest.has_newer(OVERTAKEN, "1/7", points)
    assert newest.arrive("1/8", _of("a")) != OVERTAKEN
    assert not newest.has_newer(third, "1/7", _of("a", "b", "c"))


def test_fewer_points_count_once_the_request_with_more_is_answered() -> None:
    newest = NewestClicks()
    both = newest.arrive("1/7", _of("a", "b"))
    newest.leave(both, "1/7", _of("a", "b"))
    undone = newest.arrive("1/7", _of("a"))
    assert undone > both
    assert not newest.has_newer(undone, "1/7", _of("a"))


def test_points_of_two_requests_in_work_are_those_of_neither() -> None:
    newest = NewestClicks()
    first = newest.arrive("1/7", _of("a", "x", "y"))
    newest.arrive("1/7", _of("b", "z", "w"))
    assert newest.arrive("1/7", _of("a", "b")) != OVERTAKEN
    assert newest.has_newer(first, "1/7", _of("a", "x", "y"))


def test_another_process_is_heard_of(tmp_path: Path) -> None:
    newest = NewestClicks(tmp_path / "clicks")
    number = newest.arrive("1/7", _of("a"))
    subprocess.run([sys.executable, "-c", _ARRIVE, str(tmp_path / "clicks"), "1"], check=True)
    assert newest.has_newer(number, "1/7", _of("a"))


def test_no_number_is_given_twice_by_processes_and_threads(tmp_path: Path) -> None:
    newest = NewestClicks(tmp_path / "clicks")
    command = [sys.executable, "-c", _ARRIVE, str(tmp_path / "clicks"), "500"]
    running = [subprocess.Popen(command) for _ in range(2)]
    numbers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: numbers.extend(newest.arrive("1/7", _of("b")) for _ in range(500))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(set(numbers)) == 1000
    assert newest.arrive("1/7", _of("b")) == 2001


def test_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    newest = NewestClicks(tmp_path / "clicks")
    newest.arrive("1/7", _of("z"))
    command = [sys.executable, "-c", _ARRIVE, str(tmp_path / "clicks"), "1000000000"]
    with subprocess.Popen(command) as process:
        while not newest.has_newer(1, "1/7", _of("a")):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    last = newest.arrive("1/7", _of("a"))
    assert not newest.has_newer(last, "1/7", _of("a"))


def test_a_point_that_is_pushed_out_stops_nothing_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_N_SLOTS", 1)
    newest = NewestClicks()
    first = newest.arrive("1/7", _of("a"))
    newest.arrive("1/8", _of("b"))
    assert not newest.has_newer(first, "1/7", _of("a"))


def test_without_space_a_worker_goes_on_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newest = NewestClicks(tmp_path / "missing" / "clicks")
    first = newest.arrive("1/7", _of("a"))
    newest.arrive("1/7", _of("a"))
    assert newest.has_newer(first, "1/7", _of("a"))
    assert "stops older ones of the same worker only" in caplog.text
