"""Spreads a batch's items over actors of Ray, each of which loads the networks once.

What comes of the items is given in their order, so few are read ahead. A worker that is lost, or
that answers no more, is started anew wherever there is room; its items go to others. An item that
three workers were lost with is given up. One that computes unlike the first does not work.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic

from backend.cluster.batch import Answer, BatchWork, BatchWorker, Item
from backend.cluster.handshake import Likeness, check_alike
from backend.cluster.messages import ClusterError, first_line, packed
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_AT_ONCE = 2  # items of a worker: on one it works, one waits
_AHEAD = 4  # items for each worker that may be done before an earlier one is
_TRIES = 3  # of an item, and of starting a worker
_TELL_EVERY_S = 30.0
_LIMIT_S = 1800.0  # of a worker for an item, which takes seconds


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry(Generic[Item, Answer]):
    """An item on its way."""

    item: Item
    n_losses: int = 0  # of workers that worked on it
    is_done: bool = False
    answer: Any = None  # or the error


@dataclass(slots=True, kw_only=True, eq=False)
class _Worker(Generic[Item, Answer]):
    """An actor."""

    actor: Any
    starting: Any  # Ray's reference, None once it has begun
    n_starts: int
    running: dict[Any, _Entry[Item, Answer]] = field(default_factory=dict)  # oldest first
    since: float = 0.0  # when it began with the oldest

    def has_room(self, *, is_suspect: bool) -> bool:
        """Whether it can take an item. A suspect was on a lost worker: it is tried alone."""
        is_alone = is_suspect or any(entry.n_losses for entry in self.running.values())
        return len(self.running) < (1 if is_alone else _AT_ONCE)


class Spread(Generic[Item, Answer]):
    """Works on items; one thread uses it."""

    def __init__(
        self,
        load: Callable[[], BatchWork[Item, Answer]],
        give_up: Callable[[Item, str], Answer],
        *,
        n_workers: int,
        n_threads: int,
        has_gpus: bool,
        limit_s: float = _LIMIT_S,
    ) -> None:
        """Start the workers.

        Args:
            load: Loads the networks; it can be pickled.
            give_up: Returns what comes of an item that nobody can work on, given why.
            n_workers: How many.
            n_threads: Threads of each.
            has_gpus: Whether each has a GPU of its own.
            limit_s: A worker that takes longer for an item is lost.
        """
        import ray

        options = {
            "num_cpus": n_threads,
            "num_gpus": int(has_gpus),
            "max_restarts": 0,  # it is started anew here
            "scheduling_strategy": "SPREAD",
        }
        self._ray: Any = ray
        self._kind: Any = ray.remote(**options)(BatchWorker)
        self._begin = (packed(load), n_threads)
        self._give_up = give_up
        self._limit_s = limit_s
        self._version: str | None = None
        self._likeness: Likeness | None = None
        self._refusal: MfpError | None = None
        self._again: deque[_Entry[Item, Answer]] = deque()
        self._workers: list[_Worker[Item, Answer]] = []
        for _ in range(n_workers):
            self._start(n_starts=1)

    @property
    def version(self) -> str:
        """The model version of what is made; it waits for the first worker.

        Raises:
            MfpError: None can work.
        """
        while self._version is None:
            self._wait()
        return self._version

    def __call__(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """Yield each item with what came of it.

        Raises:
            MfpError: None can work, or as of the work.
        """
        coming, order = iter(items), deque[_Entry[Item, Answer]]()
        while True:
            self._give_out(coming, order)
            if not order:
                return
            while order and order[0].is_done:
                entry = order.popleft()
                if isinstance(entry.answer, MfpError):
                    raise entry.answer
                yield entry.item, entry.answer
                self._give_out(coming, order)
            if order:
                self._wait()

    def end(self) -> None:
        """End the workers."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._workers = []

    def _start(self, *, n_starts: int) -> None:
        actor = self._kind.remote()
        starting = actor.begin.remote(*self._begin)
        self._workers.append(_Worker(actor=actor, starting=starting, n_starts=n_starts))

    def _give_out(self, coming: Iterator[Item], order: deque[_Entry[Item, Answer]]) -> None:
        """Give items to workers that have none, or none that waits."""
        while True:
            ready = [worker for worker in self._workers if worker.starting is None]
            worker = min(ready, key=lambda each: len(each.running), default=None)
            has_room = worker is not None and worker.has_room(is_suspect=bool(self._again))
            if self._again and has_room:
                entry = self._again.popleft()
            elif (has_room or not order) and len(order) < _AHEAD * max(1, len(self._workers)):
                try:
                    entry = _Entry(item=next(coming))
                except StopIteration:
                    return
                order.append(entry)
            else:
                return
            if worker is None:
                self._again.append(entry)
                return
            if not worker.running:
                worker.since = time.monotonic()
            worker.running[worker.actor.answer.remote(packed(entry.item))] = entry

    def _wait(self) -> None:
        """Wait until a worker has begun, answered, or was lost."""
        awaited = {
            reference: worker
            for worker in self._workers
            for reference in ([worker.starting] if worker.starting else worker.running)
        }
        if not self._workers:
            raise self._refusal or ClusterError("no worker could be started")
        done, _ = self._ray.wait(list(awaited), timeout=min(_TELL_EVERY_S, self._limit_s))
        if not done and all(worker.starting for worker in self._workers):
            free = self._ray.available_resources()
            n_cpus, n_gpus = free.get("CPU", 0), free.get("GPU", 0)
            _log.warning("no worker has begun yet; free: %g CPU, %g GPU", n_cpus, n_gpus)
        for reference in done:
            worker = awaited[reference]
            if worker in self._workers and worker.starting:
                self._look_at_start(worker)
            elif worker in self._workers and reference in worker.running:
                try:
                    self._take(worker, reference)
                except self._ray.exceptions.RayError as error:
                    self._lose(worker, error)
        late = time.monotonic() - self._limit_s
        for worker in [] if done else [w for w in self._workers if w.running and w.since < late]:
            self._lose(worker, TimeoutError(f"no answer for {self._limit_s:g} s"))

    def _look_at_start(self, worker: _Worker[Item, Answer]) -> None:
        try:
            begun = pickle.loads(self._ray.get(worker.starting))
            if isinstance(begun, MfpError):
                raise begun
            version, likeness = begun
            self._likeness = self._likeness or likeness
            check_alike(likeness, self._likeness)
        except (MfpError, self._ray.exceptions.RayTaskError) as error:
            reason = error if isinstance(error, MfpError) else ClusterError(first_line(error))
            self._refuse(worker, reason)
        except self._ray.exceptions.RayError as error:
            if worker.n_starts < _TRIES:
                self._lose(worker, error)
            else:
                self._refuse(worker, ClusterError(f"it cannot be started: {first_line(error)}"))
        else:
            worker.starting, worker.n_starts, self._version = None, 0, version

    def _refuse(self, worker: _Worker[Item, Answer], why: MfpError) -> None:
        _log.error("a worker is left out: %s", why)
        self._refusal = why
        self._leave_out(worker)

    def _take(self, worker: _Worker[Item, Answer], reference: Any) -> None:  # noqa: ANN401, Ray's
        """Take what came of an item, unless its worker was lost, which raises."""
        entry = worker.running[reference]
        try:
            entry.answer = pickle.loads(self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:  # the code's fault, on any worker
            entry.answer = self._give_up(entry.item, first_line(error))
        entry.is_done = True
        del worker.running[reference]
        worker.since = time.monotonic()

    def _lose(self, worker: _Worker[Item, Answer], error: Exception) -> None:
        """Start a worker anew that was lost; what it had is worked on again."""
        _log.warning("a worker was lost, and is started anew: %s", first_line(error))
        self._leave_out(worker)
        references = list(worker.running)
        if references:
            done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
            for reference in done:
                with suppress(self._ray.exceptions.RayError):
                    self._take(worker, reference)
        for place, entry in enumerate(worker.running.values()):
            entry.n_losses += place == 0  # on the others it had not begun
            if entry.n_losses < _TRIES:
                self._again.append(entry)
            else:
                why = f"given up: {_TRIES} workers were lost while they worked on it"
                entry.answer, entry.is_done = self._give_up(entry.item, why), True
        self._start(n_starts=worker.n_starts + 1)

    def _leave_out(self, worker: _Worker[Item, Answer]) -> None:
        self._ray.kill(worker.actor)
        self._workers.remove(worker)
