"""A connection that outlasts its time."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest
import urllib3
from urllib3.exceptions import ConnectTimeoutError

from backend.images.deadline import ended_at


def test_a_connection_that_is_made_after_its_time_is_ended_too() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            for _ in range(50):
                connection.sendall(b"a")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        with urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=5, retries=False) as pool:
            began = time.monotonic()
            with ended_at(began, pool):
                time.sleep(0.1)  # the timer has been there
                with pytest.raises(ConnectTimeoutError):
                    pool.urlopen("GET", "/", preload_content=False)
    assert time.monotonic() - began < 3
