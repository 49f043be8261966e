"""A limit of time for all that a connection does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import urllib3
from urllib3.exceptions import ConnectTimeoutError


@contextmanager
def ended_at(deadline: float, pool: urllib3.HTTPConnectionPool) -> Iterator[None]:
    """Let no connection of a pool outlast its time, whatever comes on it byte by byte.

    Time-outs are of one packet, and a header or a handshake may have any number of them.

    Args:
        deadline: Of `time.monotonic`.
        pool: Before its first connection.
    """
    sockets: list[socket.socket] = []

    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            sockets.append(made.dup())  # TLS takes the other one away
            if time.monotonic() >= deadline:  # the timer may have been here before it
                made.close()
                raise ConnectTimeoutError(self, "its time is over")
            return made

    def end() -> None:
        for duplicate in sockets:
            with suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)

    pool.ConnectionCls = Connection
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        for duplicate in sockets:
            duplicate.close()
