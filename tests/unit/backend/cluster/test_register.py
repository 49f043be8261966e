from __future__ import annotations

import time
from itertools import pairwise

import pytest

from backend.answering.newest_clicks import NewestClicks
from backend.cluster import register as module
from backend.cluster.register import Register, SharedRegister


def test_one_front_starts_the_replicas_and_another_one_if_it_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register = Register()
    assert register.may_start("a")
    assert not register.may_start("b")
    assert register.may_start("a")
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 200)
    assert register.may_start("b")


def test_numbers_grow_also_over_a_register_that_is_started_again() -> None:
    numbers = [Register().next_number() for _ in range(20)]
    assert all(before < after for before, after in pairwise(numbers))
    register = Register()
    numbers = [register.next_number() for _ in range(1000)]
    assert all(before < after for before, after in pairwise(numbers))


def test_a_number_that_was_overtaken_on_its_way_stops_nothing() -> None:
    numbers = iter([7, 9])
    newest = NewestClicks(next_number=lambda: next(numbers))
    points = frozenset({"p"})
    newest.arrive("3:7", points)
    newest.note(8, "3:7", points)
    newest.note(5, "3:7", points)
    assert newest.has_newer(7, "3:7", points)
    assert not newest.has_newer(8, "3:7", points)
    assert newest.arrive("3:7", points) == 9


def test_a_number_that_is_asked_for_too_early_does_not_connect_with_ray() -> None:
    ray = pytest.importorskip("ray")
    before = time.time_ns()
    assert before <= SharedRegister().next_number() <= time.time_ns()
    assert not ray.is_initialized()
