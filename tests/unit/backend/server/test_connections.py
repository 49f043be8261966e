"""Connections as hostile clients make them, against a small application."""

from __future__ import annotations

import base64
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask import Flask
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from backend.monitoring.journal import Journal
from backend.monitoring.metrics import Metrics
from backend.monitoring.telemetry import Telemetry
from backend.server import connections
from backend.server.connection_limits import ConnectionLimits, within_open_files
from backend.server.connections import Listener
from backend.server.doorkeeper import Doorkeeper
from backend.server.guard import add_guard
from tests.fakes import temporary_settings

_LIMITS = ConnectionLimits(
    n_threads=4,
    max_body_bytes=1_000_000,
    may_enter=Doorkeeper("", "").lets_in,
    header_s=60,
)
_LIMIT_S = 30.0  # below the minute that half a header has, and a busy machine may take seconds
_LARGE_BYTES = 20_000_000  # more than is kept for a client that takes nothing
_HALF = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "


class _Site:
    """A small application behind a listener."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.left = threading.Event()  # a client was seen to leave
        self.environ: dict[str, Any] = {}
        self._is_over = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._sockets: dict[int, Any] = {}
        self._threads = ThreadedTaskDispatcher()
        self._threads.set_thread_count(limits.n_threads)
        self.listener = Listener(
            self._answer, self._listening, self._sockets, self._threads, limits
        )
        self._loop = threading.Thread(target=self._run)
        self._loop.start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:  # noqa: ANN401
        self.environ = environ
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/slow":
            until = time.monotonic() + 10
            while time.monotonic() < until and not environ["waitress.client_disconnected"]():
                time.sleep(0.01)
            if time.monotonic() < until:
                self.left.set()
        if environ["PATH_INFO"] == "/large":
            body = bytes(_LARGE_BYTES)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    @property
    def n_in_receipt(self) -> int:
        """Requests of which a part has arrived."""
        channels = list(self.listener.active_channels.values())
        return sum(channel.request is not None for channel in channels)

    def _run(self) -> None:
        while not self._is_over:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._sockets, count=1)

    def end(self) -> None:
        self._is_over = True
        self._loop.join()
        self._threads.shutdown()
        wasyncore.close_all(self._sockets)


@contextmanager
def _site(limits: ConnectionLimits = _LIMITS) -> Iterator[_Site]:
    site = _Site(limits)
    try:
        yield site
    finally:
        site.end()


@pytest.fixture
def site() -> Iterator[_Site]:
    with _site() as running:
        yield running


@pytest.fixture(autouse=True)
def patient_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused body is read to its end, however long a busy machine takes to send it."""
    monkeypatch.setattr(connections, "_LINGER_S", _LIMIT_S)


def _post(
    site: _Site,
    data: str | bytes | Iterator[bytes] = "click",
    auth: tuple[str, str] | None = None,
) -> requests.Response:
    return requests.post(site.url, data=data, auth=auth, timeout=_LIMIT_S)


def _connect(site: _Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=_LIMIT_S)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server closes, unanswered; bytes that it has not read yet make it a reset."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def _raw(site: _Site, sent: bytes) -> bytes:
    """What is answered to these bytes, until the server closes."""
    with _connect(site) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(1 << 16):
            received += part
        return received


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_closes_nobody_who_sends_and_spares_nobody_who_does_not(
    monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    clock = time.time
    with _site(replace(_LIMITS, header_s=3)) as site, _connect(site) as half:
        half.sendall(_HALF)
        time.sleep(0.5)
        assert site.n_in_receipt == 1
        monkeypatch.setattr(time, "time", lambda: clock() + step_s)
        half.sendall(b"b")
        time.sleep(1.5)
        assert site.n_in_receipt == 1
        assert _is_closed(half)


def test_two_hundred_clients_that_send_half_a_header_hold_nobody_up(site: _Site) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(_connect(site)).sendall(_HALF)
        for index in range(20):
            answer = _post(site, f"click {index}")
            assert answer.text == f"click {index}"


def test_clients_that_send_a_body_slowly_hold_nobody_up(site: _Site) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 500
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(_connect(site)).sendall(head)
        assert _post(site).text == "click"


def test_half_a_header_has_so_much_time_and_no_more() -> None:
    with _site(replace(_LIMITS, header_s=0.5)) as site, _connect(site) as connection:
        connection.sendall(_HALF)
        assert _is_closed(connection)


def test_a_body_that_trickles_has_so_much_time_and_no_more() -> None:
    limits = replace(_LIMITS, header_s=0.5, slowest_bytes_per_s=1e6)
    with _site(limits) as site, _connect(site) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + b"x" * 9
        )
        assert _is_closed(connection)


@pytest.mark.slow
def test_clients_that_take_no_answers_hold_no_thread_for_long() -> None:
    limits = replace(_LIMITS, n_threads=2, header_s=0.5)
    with _site(limits) as site, ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(_connect(site))
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
        time.sleep(0.5)
        assert _post(site).text == "click"


@pytest.mark.slow
def test_a_client_that_takes_its_answer_slowly_gets_all_of_it() -> None:
    limits = replace(_LIMITS, header_s=0.5, slowest_bytes_per_s=1e6)
    with _site(limits) as site, _connect(site) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        n_received, started = 0, time.monotonic()
        while part := connection.recv(1 << 18):
            n_received += len(part)
            time.sleep(max(0.0, n_received / 8e6 - (time.monotonic() - started)))
        assert time.monotonic() - started > 2
        assert n_received > _LARGE_BYTES


def test_where_there_are_too_many_the_longest_idle_one_makes_room() -> None:
    with _site(replace(_LIMITS, max_connections=20)) as site, ExitStack() as stack:
        idle = [stack.enter_context(_connect(site)) for _ in range(30)]
        for connection in idle:
            connection.sendall(_HALF)
        assert _post(site).text == "click"
        assert _is_closed(idle[0])


def test_there_are_no_more_connections_than_files_that_may_be_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may = {"soft": 256, "hard": 1024}

    def set_limit(_: int, limits: tuple[int, int]) -> None:
        may["soft"] = limits[0]

    monkeypatch.setattr(resource, "getrlimit", lambda _: (may["soft"], may["hard"]))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    limits = within_open_files(_LIMITS)
    assert may["soft"] == 1024
    assert 3 * limits.max_connections + 200 <= 1024
    assert limits == replace(_LIMITS, max_connections=limits.max_connections)
    may["hard"] = resource.RLIM_INFINITY
    assert within_open_files(_LIMITS) == _LIMITS
    assert may["soft"] == 3200
    may["soft"] = may["hard"] = 64
    assert within_open_files(_LIMITS).max_connections == 10
    may["soft"] = may["hard"] = resource.RLIM_INFINITY
    assert within_open_files(_LIMITS) == _LIMITS
    assert may["soft"] == resource.RLIM_INFINITY


def test_a_request_sees_that_its_client_has_left(site: _Site) -> None:
    with _connect(site) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
    assert site.left.wait(_LIMIT_S)


def test_a_large_body_needs_the_password_before_it_is_read() -> None:
    limits = replace(_LIMITS, may_enter=Doorkeeper("team", "secret").lets_in)
    with _site(limits) as site:
        refused = _post(site, b"x" * 500_000)
        assert refused.content == b""
        assert refused.headers["Connection"] == "close"
        assert site.environ["CONTENT_LENGTH"] == "0"
        taken = _post(site, b"x" * 500_000, auth=("team", "secret"))
        assert len(taken.content) == 500_000


def test_a_wrong_password_before_a_large_body_is_counted_and_delayed_as_any_other() -> None:
    app, telemetry = Flask("small"), Telemetry(Metrics(), Journal())
    add_guard(app, telemetry, temporary_settings(username="team", password="secret"))
    doorkeeper = Doorkeeper("team", "secret")
    with _site(replace(_LIMITS, may_enter=doorkeeper.lets_in)) as site:
        site.listener.application = app
        began = time.monotonic()
        for word in ("a", "b"):
            refused = _post(site, b"x" * 500_000, auth=("team", word))
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert time.monotonic() - began >= 1
        figures = telemetry.metrics.figures()
        assert figures.value("mfp_refusals_total", kind="AccessError") == 2


def test_a_body_that_is_too_large_is_answered_413_however_it_is_sent(site: _Site) -> None:
    for body in (b"x" * 3_000_000, iter([b"x" * 100_000] * 30)):
        assert _post(site, body).status_code == 413
    assert _post(site, iter([b"x" * 1000] * 3)).status_code == 200


def test_many_large_bodies_at_a_time_are_refused_and_not_kept(site: _Site) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(_connect(site)).sendall(head)
        until = time.monotonic() + _LIMIT_S
        while site.n_in_receipt < 4:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert b" 503 " in _raw(site, head)
        assert _post(site).text == "click"


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 200_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[x]y/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=[
        *("chunk of -1", "endless chunk size", "negative length", "large header", "bare", "TLS"),
        *("half a host", "odd host"),
    ],
)
def test_what_is_no_request_is_answered_4xx(site: _Site, sent: bytes) -> None:
    assert _raw(site, sent).split()[1][:1] == b"4"


def test_a_request_of_two_lengths_hides_no_second_one(site: _Site) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n"
    answers = _raw(site, head + b"0\r\n\r\n" + hidden)
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1") == 1


@pytest.mark.slow
def test_who_leaves_amid_answers_holds_no_thread_and_writes_no_traceback_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with _site(replace(_LIMITS, n_threads=1)) as site:
        for _ in range(30):
            with _connect(site) as connection:
                connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        assert _post(site).text == "click"
    assert not [record.getMessage() for record in caplog.records if record.exc_info]


@pytest.mark.slow
def test_a_connection_closed_while_an_answer_waits_for_it_holds_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sends = connections._Connection.send
    sent: list[int] = []

    def closed_meanwhile(self: Any, data: bytes, do_close: bool = True) -> int:  # noqa: ANN401
        if sent[-1:] == [0]:  # the client takes no more, and now the thread is about to wait
            self.handle_close()  # as the thread that reads does
        sent.append(sends(self, data, do_close))
        return sent[-1]

    with _site(replace(_LIMITS, n_threads=1)) as site, _connect(site) as connection:
        site.listener.adj.outbuf_high_watermark = 1_000_000
        monkeypatch.setattr(connections._Connection, "send", closed_meanwhile)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        time.sleep(0.5)
        monkeypatch.undo()
        assert _post(site).text == "click"


def test_headers_cannot_name_the_script(site: _Site) -> None:
    requests.get(site.url, headers={"SCRIPT_NAME": "/x", "Script-Name": "/y"}, timeout=_LIMIT_S)
    assert site.environ["SCRIPT_NAME"] == ""


def test_basic_auth_is_taken_in_both_encodings() -> None:
    keeper = Doorkeeper("team", "pässword")
    for encoding in ("utf-8", "latin-1"):
        sent = base64.b64encode("team:pässword".encode(encoding)).decode()
        assert keeper.lets_in({"AUTHORIZATION": f"Basic {sent}"})
    assert not keeper.lets_in({})
    assert Doorkeeper("", "").lets_in({})
