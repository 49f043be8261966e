"""A request while it is being read, and why one is refused before it is read whole."""

from __future__ import annotations

import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, Error

_CHUNK_LINE_BYTES = 1_000
_TRAILER_BYTES = 8_000


class OverloadedError(Error):  # type: ignore[misc]
    """503 to a request whose body is not read."""

    code = 503
    reason = "Service Unavailable"


class IncomingRequest(HTTPRequestParser):  # type: ignore[misc]
    """A request that is being read."""

    completed: bool  # Waitress's

    def __init__(self, adjustments: Adjustments, connection: Any) -> None:  # noqa: ANN401
        """Begin to read for a connection, whose server says what is refused."""
        super().__init__(adjustments)
        self._connection = connection
        self.begun = time.monotonic()

    @property
    def announced_bytes(self) -> int:
        """The body's size; the largest allowed one where the client does not say."""
        if self.chunked:
            return int(self.adj.max_request_body_size)
        return int(self.content_length)

    def received(self, data: bytes) -> int:
        """Read on, and return how many bytes belonged to this request."""
        was_in_header = not self.headers_finished
        try:
            n_taken = int(super().received(data))
        except ValueError as error:  # Waitress asks `urlsplit`, which refuses some addresses
            n_taken = len(data)
            self.error = BadRequest(f"not an address ({error})")
        if self.error is None and not self.completed:
            is_header_new = was_in_header and self.headers_finished
            if is_header_new and not self._connection.server.may_send(self):
                self._leave_body()
                return len(data)
            self.error = self._refusal(is_header_new=is_header_new)
        if self.error is not None:
            self.completed = True
            self._connection.was_refused = True
        return n_taken

    def _leave_body(self) -> None:
        """Let the application answer without the body, as it does to any wrong password."""
        self.headers.pop("TRANSFER_ENCODING", None)
        self.headers |= {"CONTENT_LENGTH": "0", "CONNECTION": "close"}
        self.body_rcv, self.expect_continue = None, False
        self.completed = True
        self._connection.was_refused = True

    def _refusal(self, *, is_header_new: bool) -> Error | None:
        """Why the rest is not to be read, None where it is."""
        if is_header_new:
            if self.chunked and "CONTENT_LENGTH" in self.headers:
                return BadRequest("Content-Length beside Transfer-Encoding")
            refused: Error | None = self._connection.server.refusal(self)
            return refused
        body = self.body_rcv
        if isinstance(body, ChunkedReceiver) and (
            len(body.control_line) > _CHUNK_LINE_BYTES or len(body.trailer) > _TRAILER_BYTES
        ):
            return BadRequest("a chunk's line or trailer is too long")
        return None
