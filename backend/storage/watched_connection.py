"""A connection to PostgreSQL that gives up on a server of which nothing is heard.

The server's own limit of a statement does not help where the server itself hangs, and the system's
limits not where its machine still takes packets, as behind a proxy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow

T = TypeVar("T")
_Waiting = Generator[Any, Any, T]  # psycopg's: yields what it waits for, is sent what came of it


class SilentServerError(psycopg.OperationalError):
    """Nothing was heard of the server for too long."""

    def __init__(self) -> None:
        super().__init__("nothing was heard of the server")


class WatchedConnection(psycopg.Connection[TupleRow]):
    """Closes itself where nothing is heard for a while.

    Attributes:
        silence_s: How long nothing may be heard.
        on_silence: Told before it closes.
    """

    silence_s: float = float("inf")
    on_silence: Callable[[], None]

    def wait(self, gen: _Waiting[T], *limits: Any, **named_limits: Any) -> T:  # noqa: ANN401
        """Return what the generator of an exchange with the server comes to.

        Raises:
            SilentServerError: Nothing was heard.
        """
        return super().wait(self._watched(gen), *limits, **named_limits)

    def _watched(self, gen: _Waiting[T]) -> _Waiting[T]:
        heard_at = time.monotonic()
        try:
            awaited = next(gen)
            while True:
                came = yield awaited
                now = time.monotonic()
                if came:
                    heard_at = now
                elif now - heard_at > self.silence_s:
                    self.on_silence()
                    self.pgconn.finish()
                    raise SilentServerError
                awaited = gen.send(came)
        except StopIteration as end:
            result: T = end.value
            return result
