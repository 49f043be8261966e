"""Who may compute when: requests take turns by rounds, and a newer click replaces an older one.

A request takes a place, and then a turn for each of its rounds; after a turn it goes to the end
of the line. So somebody whose twenty clicks are computed again, as after a restart, delays
another's single click by one round and not by twenty.

Label Studio's page shows the answer to the newest click of a region only. A request that shares a
point with a newer one of the same task is therefore superseded: it gets no further turn, whichever
worker has the newer one. One that comes with only some of the points of a request in work was
overtaken by that, and is superseded itself. Two annotators on one task share no point, so neither
supersedes the other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from backend.answering.newest_clicks import NewestClicks
from mfp_model.errors import MfpError

_MAX_WAIT_S = 90.0  # Label Studio gives up after 100
_LOOK_EVERY_S = 0.1  # at clicks of other workers, which can wake nobody here


class BusyError(MfpError):
    """Too many requests are in work, or one waited too long."""


class SupersededError(MfpError):
    """The answer would not be seen: a newer click has arrived, or the client has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickedObject:
    """Whose turn it is: a task, and the ids of the points clicked."""

    task: str
    point_ids: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A request's place; `Turns.turn` takes it.

    Attributes:
        who: The object that is clicked.
        number: Larger than those of all requests that came before, but where it was overtaken.
        has_newer: Whether the object was clicked again since.
        has_left: Whether the request's client waits no more.
    """

    who: ClickedObject
    number: int
    has_newer: Callable[[], bool]
    has_left: Callable[[], bool]

    def check(self) -> None:
        """Go on only if the answer will be seen.

        Raises:
            SupersededError: A newer click of the region has arrived, or the client has left.
        """
        if self.has_newer():
            raise SupersededError("a newer click of the same region has arrived")
        if self.has_left():
            raise SupersededError("its client has left")


class Turns:
    """The line in front of a device.

    Attributes:
        max_places: More requests at the same time are refused.
    """

    def __init__(
        self,
        *,
        max_places: int,
        n_turns: int = 1,
        on_change: Callable[[int], None] = lambda n_places: None,
        on_turn: Callable[[float], None] = lambda waited_s: None,
        newest: NewestClicks | None = None,
    ) -> None:
        """Make a line.

        Args:
            max_places: More requests at the same time are refused.
            n_turns: So many have a turn at a time.
            on_change: Told how many places are taken, whenever that changes.
            on_turn: Told how many seconds a request waited for a turn.
            newest: What all workers' newest clicks are; None for a worker that is alone.
        """
        self.max_places = max_places
        self._on_change = on_change
        self._on_turn = on_turn
        self._newest = newest or NewestClicks()
        self._guard = threading.Lock()
        self._n_places = 0
        self._line: deque[_Waiting] = deque()
        self._n_free = n_turns

    @contextmanager
    def place(
        self, region: ClickedObject, has_left: Callable[[], bool] = lambda: False
    ) -> Iterator[Place]:
        """Take a place, which supersedes those of the same region, in other workers too.

        Args:
            region: The object that is clicked.
            has_left: Whether the request's client waits no more.

        Raises:
            BusyError: All places are taken.
        """
        with self._guard:
            if self._n_places >= self.max_places:
                raise BusyError(f"{self._n_places} requests are in work already (MFP_MAX_WAITING)")
            self._n_places += 1
            self._on_change(self._n_places)
        try:
            number = self._newest.arrive(region.task, region.point_ids)
            has_newer = partial(self._newest.has_newer, number, region.task, region.point_ids)
            self._call_all_of(region.task)
            try:
                yield Place(region, number, has_newer, has_left)
            finally:
                self._newest.leave(number, region.task, region.point_ids)
        finally:
            with self._guard:
                self._n_places -= 1
                self._on_change(self._n_places)

    @contextmanager
    def turn(self, place: Place) -> Iterator[None]:
        """Wait for the device and hold it.

        Raises:
            SupersededError: A newer click of the region has arrived.
            BusyError: The device was not free within 90 seconds.
        """
        self._wait(place)
        try:
            yield
        finally:
            self._give_back()

    def _wait(self, place: Place) -> None:
        started = time.monotonic()
        until = started + _MAX_WAIT_S
        waiting = _Waiting(place)
        with self._guard:
            self._line.append(waiting)
            self._call_next()
        try:
            self._check(place, until)
            while not waiting.has_turn:
                waiting.is_called.wait(min(_LOOK_EVERY_S, max(0.0, until - time.monotonic())))
                waiting.is_called.clear()  # before looking, so that no later call is missed
                self._check(place, until)
            self._on_turn(time.monotonic() - started)
        except BaseException:
            self._leave(waiting)
            raise

    def _leave(self, waiting: _Waiting) -> None:
        """Take a request out of the line, or its turn from it."""
        with self._guard:
            if not waiting.has_turn:
                self._line.remove(waiting)
                return
        self._give_back()

    def _give_back(self) -> None:
        with self._guard:
            self._n_free += 1
            self._call_next()

    def _call_next(self) -> None:
        """Hand what is free to the first of the line. All others sleep on."""
        while self._n_free and self._line:
            first = self._line.popleft()
            self._n_free -= 1
            first.has_turn = True
            first.is_called.set()

    def _call_all_of(self, task: str) -> None:
        """Let those of a task that wait look whether they are superseded."""
        with self._guard:
            for waiting in self._line:
                if waiting.place.who.task == task:
                    waiting.is_called.set()

    def _check(self, place: Place, until: float) -> None:
        place.check()
        if time.monotonic() >= until:
            raise BusyError(f"waited {_MAX_WAIT_S:g} s for the device")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request in the line."""

    place: Place
    is_called: threading.Event = field(default_factory=threading.Event)
    has_turn: bool = False
