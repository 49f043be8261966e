"""Which item is blamed for a lost worker, on a Ray that does the worst."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from backend.cluster.batch import BatchWork
from backend.cluster.spreading import Spread
from tests.fakes import DiskSegmenter

_DEADLY = (1, 4, 5)


class _Lost(Exception):
    pass


class _Fault(Exception):
    pass


@dataclass(eq=False)
class _Reference:
    actor: _Actor
    compute: Callable[[], bytes]


@dataclass(eq=False)
class _Actor:
    """Answers nothing before all that it was given is done, so that a death takes it all."""

    worker: Any
    given: list[_Reference] = field(default_factory=list)
    is_dead: bool = False

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda *args: self._give(getattr(self.worker, name), args))

    def _give(self, method: Callable[..., bytes], args: tuple[Any, ...]) -> _Reference:
        self.given.append(_Reference(self, lambda: method(*args)))
        return self.given[-1]

    def run(self) -> None:
        for reference in self.given:
            try:
                answer = reference.compute()
                reference.compute = lambda answer=answer: answer
            except _Lost:
                self.is_dead = True


class _Ray:
    """What `Spread` uses of Ray."""

    exceptions = SimpleNamespace(RayError=_Lost, RayTaskError=_Fault)

    def remote(self, **_: object) -> Callable[[type], SimpleNamespace]:
        return lambda kind: SimpleNamespace(remote=lambda: _Actor(kind()))

    def wait(self, references: list[_Reference], **_: object) -> tuple[list[_Reference], list[Any]]:
        references[0].actor.run()
        return [each for each in references if each.actor is references[0].actor], []

    def get(self, reference: _Reference) -> bytes:
        if reference.actor.is_dead:
            raise _Lost
        return reference.compute()

    def kill(self, actor: _Actor) -> None:
        actor.is_dead = True


def _load() -> BatchWork[int, int]:
    return BatchWork(answer=_answer, version="1", segmenter=DiskSegmenter())


def _answer(item: int) -> int:
    if item in _DEADLY:
        raise _Lost
    return item


def _give_up(_: int, why: str) -> str:
    return why


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_no_item_is_given_up_for_another_one(
    n_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", _Ray())

    spread = Spread(_load, _give_up, n_workers=n_workers, n_threads=1, has_gpus=False)
    answers = dict(spread(range(12)))

    assert [item for item, answer in answers.items() if answer != item] == [*_DEADLY]
    assert "3 workers were lost" in answers[_DEADLY[0]]
