import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.answering import turns as module
from backend.answering.newest_clicks import NewestClicks
from backend.answering.turns import BusyError, ClickedObject, SupersededError, Turns


def _region(task: str, *points: str) -> ClickedObject:
    return ClickedObject(task=task, point_ids=frozenset(points))


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


class _Worker:
    """A request of so many rounds in a thread of its own; each round waits for the gate."""

    def __init__(self, turns: Turns, region: ClickedObject, n_rounds: int, log: list[str]) -> None:
        self.gate = threading.Event()
        self.has_place = threading.Event()
        self.was_superseded = False
        self._turns, self._region, self._n_rounds, self._log = turns, region, n_rounds, log
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.has_place.wait(10)

    def _run(self) -> None:
        try:
            with self._turns.place(self._region) as place:
                self.has_place.set()
                for _ in range(self._n_rounds):
                    with self._turns.turn(place):
                        self._log.append(self._region.task)
                        self.gate.wait(10)
        except SupersededError:
            self.was_superseded = True


def test_requests_take_turns_by_rounds() -> None:
    turns, log = Turns(max_places=4), list[str]()
    long = _Worker(turns, _region("long", "a"), 6, log)
    _until(lambda: log == ["long"])
    short = _Worker(turns, _region("short", "b"), 1, log)
    _until(lambda: len(turns._line) == 1)
    for worker in (long, short):
        worker.gate.set()
    for worker in (long, short):
        worker.thread.join(10)
    assert log.index("short") <= 2
    assert log.count("long") == 6


def test_only_one_request_computes_at_a_time() -> None:
    turns, at_once, most = Turns(max_places=8), [0], [0]

    def work(name: str) -> None:
        with turns.place(_region(name, name)) as place:
            for _ in range(20):
                with turns.turn(place):
                    at_once[0] += 1
                    most[0] = max(most[0], at_once[0])
                    time.sleep(0.0005)
                    at_once[0] -= 1

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1]


def test_a_newer_click_of_the_region_stops_the_older_one_at_its_next_round() -> None:
    turns, log = Turns(max_places=4), list[str]()
    older = _Worker(turns, _region("t", "a", "b"), 5, log)
    _until(lambda: log == ["t"])
    newer = _Worker(turns, _region("t", "a", "b", "c"), 1, log)
    older.gate.set()
    newer.gate.set()
    older.thread.join(10)
    newer.thread.join(10)
    assert older.was_superseded
    assert not newer.was_superseded
    assert log == ["t", "t"]


def test_an_older_click_that_comes_later_stops_no_newer_one() -> None:
    turns = Turns(max_places=4)
    older, newer = _region("t", "a"), _region("t", "a", "b")
    with turns.place(newer) as first:
        with turns.place(older) as overtaken:
            with pytest.raises(SupersededError):
                overtaken.check()
            first.check()
        first.check()
    with turns.place(older) as after_an_undo:
        after_an_undo.check()


def test_a_waiting_request_leaves_at_once_when_superseded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 60.0)
    turns, log = Turns(max_places=4), list[str]()
    holder = _Worker(turns, _region("other", "x"), 1, log)
    _until(lambda: log == ["other"])
    waiting = _Worker(turns, _region("t", "a"), 1, log)
    newer = _Worker(turns, _region("t", "a", "b"), 1, log)
    waiting.thread.join(10)
    assert waiting.was_superseded
    holder.gate.set()
    newer.gate.set()
    for worker in (holder, newer):
        worker.thread.join(10)
    assert log == ["other", "t"]


def test_a_newer_click_at_another_worker_stops_the_older_one_and_one_that_waits(
    tmp_path: Path,
) -> None:
    workers = [Turns(max_places=4, newest=NewestClicks(tmp_path / "clicks")) for _ in range(2)]
    log = list[str]()
    older = _Worker(workers[0], _region("t", "a"), 5, log)
    _until(lambda: log == ["t"])
    waiting = _Worker(workers[0], _region("u", "x"), 5, log)
    newer = [
        _Worker(workers[1], _region(task, *points), 1, log)
        for task, points in (("t", "ab"), ("u", "xy"))
    ]
    waiting.thread.join(10)
    assert waiting.was_superseded
    for worker in (older, *newer):
        worker.gate.set()
        worker.thread.join(10)
    assert older.was_superseded
    assert not any(worker.was_superseded for worker in newer)
    assert sorted(log) == ["t", "t", "u"]


def test_two_annotators_on_one_task_do_not_stop_each_other() -> None:
    turns, log = Turns(max_places=4), list[str]()
    workers = [_Worker(turns, _region("t", point), 3, log) for point in "ab"]
    for worker in workers:
        worker.gate.set()
    for worker in workers:
        worker.thread.join(10)
    assert not any(worker.was_superseded for worker in workers)
    assert log == ["t"] * 6


def test_a_full_house_is_busy_and_empties_again() -> None:
    places: list[int] = []
    turns = Turns(max_places=1, on_change=places.append)
    with turns.place(_region("a", "1")), pytest.raises(BusyError, match="MFP_MAX_WAITING"):
        with turns.place(_region("b", "2")):
            raise AssertionError("there was a place")
    with turns.place(_region("b", "2")) as place, turns.turn(place):
        pass
    assert places == [1, 0, 1, 0]


def test_a_failure_during_a_turn_gives_the_device_back() -> None:
    turns = Turns(max_places=2)
    with pytest.raises(ZeroDivisionError):
        with turns.place(_region("a", "1")) as place, turns.turn(place):
            raise ZeroDivisionError
    with turns.place(_region("b", "2")) as place, turns.turn(place):
        pass


def test_a_free_turn_goes_to_the_first_in_line_and_the_others_sleep_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 60.0)
    turns, log, n_looks = Turns(max_places=8), list[str](), dict.fromkeys("abcd", 0)

    def work(name: str) -> None:
        def has_left() -> bool:
            n_looks[name] += 1
            return False

        with turns.place(_region(name, name), has_left) as place, turns.turn(place):
            log.append(name)

    def start(name: str) -> threading.Thread:
        thread = threading.Thread(target=work, args=(name,))
        thread.start()
        _until(lambda: n_looks[name] == 1)
        return thread

    holder = _Worker(turns, _region("holder", "x"), 1, log)
    _until(lambda: log == ["holder"])
    threads = [start(name) for name in "abcd"]
    holder.gate.set()
    for thread in (holder.thread, *threads):
        thread.join(10)
    assert log == ["holder", "a", "b", "c", "d"]
    assert set(n_looks.values()) == {2}  # as it came, and with its turn


@pytest.mark.parametrize("why", ["superseded", "left", "failed"])
def test_a_turn_that_is_not_taken_goes_to_the_next_in_line(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 60.0)
    turns, log, is_late = Turns(max_places=8), list[str](), threading.Event()
    problems: list[str] = []

    def has_left() -> bool:
        if is_late.is_set() and why == "failed":
            raise OSError("no such socket")
        return is_late.is_set() and why == "left"

    def refuse() -> None:
        try:
            with turns.place(_region("t", "a"), has_left) as place, turns.turn(place):
                log.append("t")
        except (SupersededError, OSError) as error:
            problems.append(str(error))

    holder = _Worker(turns, _region("holder", "x"), 1, log)
    _until(lambda: log == ["holder"])
    refusing = threading.Thread(target=refuse)
    refusing.start()
    _until(lambda: len(turns._line) == 1)
    following = _Worker(turns, _region("next", "y"), 1, log)
    following.gate.set()
    _until(lambda: len(turns._line) == 2)
    if why == "superseded":
        turns._newest.arrive("t", frozenset("a"))  # as another worker does, which wakes nobody here
    is_late.set()
    holder.gate.set()
    for thread in (holder.thread, refusing, following.thread):
        thread.join(10)
    assert log == ["holder", "next"]
    assert len(problems) == 1


def test_one_whose_client_leaves_while_it_waits_leaves_the_line() -> None:
    turns, log, has_left = Turns(max_places=4), list[str](), threading.Event()
    holder = _Worker(turns, _region("holder", "x"), 1, log)
    _until(lambda: log == ["holder"])
    problems: list[str] = []

    def leave() -> None:
        with pytest.raises(SupersededError, match="left"):
            with turns.place(_region("t", "a"), has_left.is_set) as place, turns.turn(place):
                log.append("t")
        problems.append("left")

    leaving = threading.Thread(target=leave)
    leaving.start()
    _until(lambda: len(turns._line) == 1)
    has_left.set()
    leaving.join(10)
    assert problems == ["left"]
    assert not turns._line
    holder.gate.set()
    holder.thread.join(10)
    assert log == ["holder"]


def test_nobody_starves_and_no_turn_is_lost_where_some_give_up() -> None:
    turns, guard = Turns(max_places=64, n_turns=2), threading.Lock()
    at_once, most, done = [0], [0], list[int]()

    def work(number: int) -> None:
        random = np.random.default_rng(number)
        for attempt in range(5):
            region = _region(f"t{number % 12}", f"{number}", f"{number % 24}-{attempt}")
            try:
                with turns.place(region, lambda: bool(random.random() < 0.05)) as place:
                    for _ in range(4):
                        with turns.turn(place):
                            with guard:
                                at_once[0] += 1
                                most[0] = max(most[0], at_once[0])
                            time.sleep(0.0002)
                            with guard:
                                at_once[0] -= 1
                            if random.random() < 0.05:
                                raise ZeroDivisionError
            except (SupersededError, ZeroDivisionError):
                continue
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == list(range(32))
    assert most == [2]
    assert not turns._line
    assert (turns._n_free, turns._n_places) == (2, 0)


def test_nobody_waits_longer_than_label_studio_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WAIT_S", 0.05)
    turns, log = Turns(max_places=2), list[str]()
    holder = _Worker(turns, _region("a", "1"), 1, log)
    _until(lambda: log == ["a"])
    with turns.place(_region("b", "2")) as place, pytest.raises(BusyError, match="waited"):
        with turns.turn(place):
            raise AssertionError("the device was taken")
    assert not turns._line
    holder.gate.set()
    holder.thread.join(10)
    with turns.place(_region("c", "3")) as place, turns.turn(place):
        pass
