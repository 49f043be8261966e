"""Connections: a request is read whole before a thread takes it.

One thread reads all connections as their bytes arrive, so a client that is slow, or sends half a
header and stops, holds a socket and no thread. Waitress does the reading; what is added here are
limits: time, size, number, and the password before a large body. Time is that of `time.monotonic`:
Waitress's goes by the clock, which may be set.
"""

from __future__ import annotations

import math
import socket
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error

from backend.server.connection_limits import ConnectionLimits
from backend.server.incoming import IncomingRequest, OverloadedError

_HEADER_BYTES = 64_000
_OPEN_BODY_BYTES = 100_000  # what anybody may send before the password is looked at
_MEMORY_BYTES = 8_000_000  # larger bodies lie in a temporary file until they are complete
_READ_BYTES = 1 << 18
_IDLE_S = 30
_LINGER_S = 3.0
_LOOK_AGAIN_S = 0.5
_LOOK_EVERY_S = 1.0
_NEW_S = 2.0  # after so long without a byte a connection is idle
_BODIES_IN_RECEIPT = 4  # of the largest size, at a time


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Accepts connections on one socket that is bound already."""

    next_channel_cleanup = math.inf  # Waitress's: by the clock never
    _look_at = 0.0

    def __init__(
        self,
        application: Any,  # noqa: ANN401, WSGI's
        listening: socket.socket,
        sockets: dict[int, Any],
        threads: ThreadedTaskDispatcher,
        limits: ConnectionLimits,
    ) -> None:
        """Begin to accept.

        Args:
            application: The WSGI application.
            listening: Bound and listening.
            sockets: All that the loop looks at, by file number; this adds itself.
            threads: Those that answer.
            limits: What a client may do.
        """
        self.limits = limits
        self.channel_class = _Connection
        adjustments = Adjustments(
            sockets=[listening],
            connection_limit=1 << 30,  # ours is below
            channel_timeout=_IDLE_S,
            recv_bytes=_READ_BYTES,
            inbuf_overflow=_MEMORY_BYTES,
            max_request_header_size=_HEADER_BYTES,
            max_request_body_size=limits.max_body_bytes + 1,
            channel_request_lookahead=1,  # else nobody notices that a client has left
            log_socket_errors=False,
            ident=None,
        )
        name = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(
            application,
            sockets,
            True,
            listening,
            dispatcher=threads,
            adj=adjustments,
            bind_socket=False,
            sockinfo=name,
        )

    def n_expecting(self, now: float) -> int:
        """Connections whose clients expect an answer: being made, sent, or just asked for."""
        return sum(channel.is_expecting(now) for channel in self.active_channels.values())

    def readable(self) -> bool:
        """Whether connections are accepted; called about once a second at least."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY_S
            self.maintenance(now)
        return bool(super().readable())

    def handle_accept(self) -> None:
        """Accept one connection, at the expense of the longest idle one where there are many."""
        if len(self.active_channels) >= self.limits.max_connections:
            waiting = [channel for channel in self.active_channels.values() if channel.is_waiting]
            if not waiting:
                time.sleep(0.01)  # all are being answered: the new one waits in the system's queue
                return
            min(waiting, key=lambda channel: channel.last_activity).handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        """Close connections that are idle or too slow."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.handle_close()

    def may_send(self, request: IncomingRequest) -> bool:
        """Return whether a request's body may be read: a large one needs the password."""
        is_small = request.announced_bytes <= _OPEN_BODY_BYTES
        return is_small or self.limits.may_enter(request.headers)

    def refusal(self, request: IncomingRequest) -> Error | None:
        """Return why a request's body is not to be read, None where it is."""
        limits = self.limits
        if request.announced_bytes <= _OPEN_BODY_BYTES:
            return None
        in_receipt = sum(
            channel.request.announced_bytes
            for channel in self.active_channels.values()
            if channel.request is not None and channel.request is not request
        )
        if in_receipt + request.announced_bytes > _BODIES_IN_RECEIPT * limits.max_body_bytes:
            return OverloadedError("too many large requests at a time")
        return None


class _Connection(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    close_when_flushed: bool  # Waitress's
    was_refused = False  # before the whole request was read
    _n_active = 0  # how often something was done, and
    _active_at = 0.0  # when the last time
    _draining_until: float | None = None
    _n_sent = 0  # bytes
    _untaken: tuple[float, int] | None = None  # since when there are such, and bytes sent by then

    def parser_class(self, adjustments: Adjustments) -> IncomingRequest:
        """Return what reads a request."""
        return IncomingRequest(adjustments, self)

    @property
    def last_activity(self) -> float:
        """When it was made, or bytes came or went the last time."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, by_the_clock: float) -> None:
        self._active_at, self._n_active = time.monotonic(), self._n_active + 1

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be done for it."""
        return not self.requests and not self.total_outbufs_len

    def is_expecting(self, now: float) -> bool:
        """Return whether its client is being answered, is sending, or has just connected."""
        is_new = self._n_active == 1 and now - self._active_at < _NEW_S
        return not self.is_waiting or self.request is not None or is_new

    def is_late(self, now: float) -> bool:
        """Return whether the client had time enough for what it has not sent or taken yet."""
        if self._draining_until is not None:
            return now > self._draining_until
        if self._is_taken_too_slowly(now):
            return True
        request: IncomingRequest | None = self.request
        if not self.is_waiting or request is None:
            return False
        limits: ConnectionLimits = self.server.limits
        allowed_s = limits.header_s + request.body_bytes_received / limits.slowest_bytes_per_s
        return bool(now - request.begun > allowed_s)

    def _is_taken_too_slowly(self, now: float) -> bool:
        """Whether answers wait for a client that takes none: a thread may wait with them."""
        if not self.total_outbufs_len:
            self._untaken = None
            return False
        if self._untaken is None:
            self._untaken = (now, self._n_sent)
        since, n_before = self._untaken
        limits: ConnectionLimits = self.server.limits
        allowed_s = limits.header_s + (self._n_sent - n_before) / limits.slowest_bytes_per_s
        return now - since > allowed_s

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the system takes now, and return how many bytes that were."""
        try:
            n_bytes = int(super().send(data, do_close))
        except AttributeError:
            if self.socket is not None:
                raise
            # The thread that reads has closed it meanwhile; Waitress expects an `OSError`.
            raise ConnectionAbortedError("closed") from None
        self._n_sent += n_bytes
        return n_bytes

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait, in a thread that answers, while the client has too much to take yet.

        Waitress's own waits for ever where the connection was closed in this very moment.
        """
        with self.outbuf_lock:
            most = self.adj.outbuf_high_watermark
            if self.total_outbufs_len > most:
                self._flush_exception(self._flush_some, do_close=False)
            while self.connected and self.total_outbufs_len > most:
                self.server.pull_trigger()
                self.outbuf_lock.wait(_LOOK_AGAIN_S)

    def readable(self) -> bool:
        """Whether more bytes are wanted."""
        if self._draining_until is not None:
            return True
        return not self.was_refused and bool(super().readable())

    def handle_read(self) -> None:
        """Take what has arrived."""
        if self._draining_until is None:
            super().handle_read()
        else:
            self.recv(_READ_BYTES)

    def handle_write(self) -> None:
        """Send; after a refusal read on for a moment, else the client may never see why."""
        self._flush_exception(self._flush_some if not self.requests else None)
        is_flushed = self.was_refused and self.close_when_flushed and not self.total_outbufs_len
        if is_flushed and not self.will_close:
            self.close_when_flushed = False
            self._draining_until = time.monotonic() + _LINGER_S
            self.socket.shutdown(socket.SHUT_WR)
            return
        super().handle_write()
