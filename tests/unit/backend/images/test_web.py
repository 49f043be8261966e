import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess
from mfp_model.errors import ImageError
from tests.fakes import LoopbackSite, QuietHandler

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class _Site(LoopbackSite):
    """Redirects where `leads_to` says, else sends `content` with a pause between bytes."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.content = b"picture"
        self.leads_to: dict[str, str] = {}
        self.pause_s = 0.0
        self.tokens: list[str | None] = []
        self.paths: list[str] = []


class _Handler(QuietHandler):
    server: _Site

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("Authorization"))
        self.server.paths.append(self.path)
        target = self.server.leads_to.get(self.path)
        self.send_response(303 if target else 200)
        if target:
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        try:
            for byte in self.server.content:
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.pause_s)
        except OSError:
            pass


@pytest.fixture
def sites() -> Iterator[list[_Site]]:
    with _Site().serving() as first, _Site().serving() as second:
        yield [first, second]


def _fetcher(label_studio: str = "", **limits: Any) -> WebFetcher:  # noqa: ANN401
    access = LabelStudioAccess(url=label_studio, api_key="secret", timeout_s=5)
    defaults: dict[str, Any] = {"max_bytes": 1000, "timeout_s": 5, "total_s": 5}
    return WebFetcher(access, FetchLimits(**{**defaults, **limits}))


def test_only_hosts_on_the_list_are_asked(sites: list[_Site]) -> None:
    with pytest.raises(ImageError, match="MFP_IMAGE_HOSTS"):
        _fetcher(hosts=("*.example.com",)).fetch(f"{sites[0].url}/a")
    with pytest.raises(ImageError, match="MFP_IMAGE_HOSTS"):
        _fetcher(hosts=("example.com",)).fetch("http://example.com.evil.example/a")
    allowed = _fetcher(hosts=("127.0.0.1",), private_networks=_LOOPBACK)
    assert allowed.fetch(f"{sites[0].url}/a") == b"picture"
    assert len(sites[0].tokens) == 1


@pytest.mark.parametrize("host", ["[::1]", "::1", "*"])
def test_an_ipv6_address_may_be_on_the_list(host: str) -> None:
    with pytest.raises(ImageError, match=r"image http://\[::1\].* cannot be fetched"):
        _fetcher(hosts=(host,), private_networks=(ipaddress.ip_network("::1"),)).fetch(
            "http://[::1]:1/a"
        )
    with pytest.raises(ImageError, match="MFP_IMAGE_HOSTS"):
        _fetcher(hosts=("[::1]",)).fetch("http://[::2]:1/a")


def test_private_addresses_are_refused_unless_allowed(sites: list[_Site]) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"):
        with pytest.raises(ImageError, match="MFP_PRIVATE_NETWORKS|no such host"):
            _fetcher(hosts=("*",)).fetch(f"http://{host}:{sites[0].server_port}/a")
    for host in ("10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0", "224.0.0.1"):
        with pytest.raises(ImageError, match="private address"):
            _fetcher(hosts=("*",)).fetch(f"http://{host}/latest/meta-data")
    for host in ("[fec0::1]", "[64:ff9b:1::a00:1]", "[::a00:1]", "[::ffff:0:a00:1]"):
        with pytest.raises(ImageError, match="private address"):
            _fetcher(hosts=("*",)).fetch(f"http://{host}/a")
    assert sites[0].tokens == []


def test_a_name_that_changes_its_address_is_connected_to_the_checked_one(
    sites: list[_Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.215.14", "127.0.0.1"])
    connected: list[Any] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        if host != "rebinding.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (next(answers), port))]

    def connect(self: socket.socket, address: object) -> None:
        connected.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ImageError, match="cannot be fetched"):
        _fetcher(hosts=("rebinding.example",)).fetch("http://rebinding.example/a")
    assert connected == [("93.184.215.14", 80)]


def test_the_token_stays_with_label_studio_across_redirects(sites: list[_Site]) -> None:
    ours, other = sites
    ours.leads_to = {"/tasks/1/resolve/": f"{other.url}/presigned?signature=x"}
    fetcher = _fetcher(ours.url, hosts=("127.0.0.1",), private_networks=_LOOPBACK)
    assert fetcher.fetch(f"{ours.url}/tasks/1/resolve/") == b"picture"
    assert (ours.tokens, other.tokens) == (["Token secret"], [None])


def test_every_redirect_is_checked_again(sites: list[_Site]) -> None:
    ours, other = sites
    ours.leads_to = {
        "/data/upload/a": f"{other.url}/b",
        "/data/upload/c": "file:///etc/passwd",
        "/data/upload/d": "/data/upload/d",
    }
    with pytest.raises(ImageError, match="MFP_IMAGE_HOSTS"):
        _fetcher(ours.url).fetch(f"{ours.url}/data/upload/a")
    with pytest.raises(ImageError, match="private address"):
        _fetcher(ours.url, hosts=("127.0.0.1",)).fetch(f"{ours.url}/data/upload/a")
    with pytest.raises(ImageError, match="expected http or https"):
        _fetcher(ours.url).fetch(f"{ours.url}/data/upload/c")
    with pytest.raises(ImageError, match="more than 5 redirects"):
        _fetcher(ours.url).fetch(f"{ours.url}/data/upload/d")
    assert other.tokens == []


def test_a_redirect_to_the_login_says_which_setting_is_missing(sites: list[_Site]) -> None:
    sites[0].leads_to = {"/data/upload/a": "/user/login/?next=/a"}
    with pytest.raises(ImageError, match="LABEL_STUDIO_API_KEY"):
        _fetcher(sites[0].url).fetch(f"{sites[0].url}/data/upload/a")


def test_a_file_that_trickles_in_is_given_up(sites: list[_Site]) -> None:
    sites[0].pause_s = 0.2
    sites[0].content = b"x" * 100
    started = time.monotonic()
    with pytest.raises(ImageError, match="MFP_FETCH_TOTAL_S"):
        _fetcher(sites[0].url, total_s=0.5).fetch(f"{sites[0].url}/data/upload/a")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_not_a_file_and_trickles_in_is_given_up(
    start: bytes, drop: bytes, scheme: str
) -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00" if scheme == "https" else start)
            for _ in range(60):
                connection.sendall(drop or b"a")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/a.jpg"
        started = time.monotonic()
        fetcher = _fetcher(hosts=("127.0.0.1",), private_networks=_LOOPBACK, total_s=0.5)
        with pytest.raises(ImageError, match="not here after 0.5 s"):
            fetcher.fetch(url)
        assert time.monotonic() - started < 3


def test_a_file_that_is_too_large_is_given_up(sites: list[_Site]) -> None:
    with pytest.raises(ImageError, match="MFP_MAX_IMAGE_MB"):
        _fetcher(sites[0].url, max_bytes=3).fetch(f"{sites[0].url}/data/upload/a")


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ImageError, match="ReadTimeoutError"):
            _fetcher(url, timeout_s=0.2).fetch(f"{url}/data/upload/a")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://user:password@host.example/a", "password in the address"),
        ("http://[::1/a", "not a valid web address"),
        ("http:///a", "expected http"),
        (f"http://{'a' * 70}.example/a", "no such host"),
        ("http://does-not-exist.invalid/a?token=secret", "no such host"),
    ],
)
def test_odd_addresses_are_refused_in_words(url: str, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        _fetcher(hosts=("*",)).fetch(url)
    assert "secret" not in str(error.value)
    assert "user:" not in str(error.value)


def test_a_redirect_may_be_written_in_utf_8(sites: list[_Site]) -> None:
    site, _ = sites
    name = "/Größe/画像.png"
    site.leads_to = {"/a": name.encode().decode("latin-1")}
    fetcher = _fetcher(hosts=("127.0.0.1",), private_networks=_LOOPBACK)
    assert fetcher.fetch(f"{site.url}/a") == b"picture"
    assert site.paths[-1] == "/Gr%C3%B6%C3%9Fe/%E7%94%BB%E5%83%8F.png"


def test_messages_name_the_port_and_are_short(sites: list[_Site]) -> None:
    with pytest.raises(ImageError, match=f"http://127.0.0.1:{sites[0].server_port}/a") as raised:
        _fetcher().fetch(f"{sites[0].url}/" + "a" * 100_000)
    assert len(str(raised.value)) < 400
    for address in (f"http://{'a' * 100_000}/", f"{'a' * 100_000}://host/"):
        with pytest.raises(ImageError) as raised:
            _fetcher().fetch(address)
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("below", ["", "/label-studio"])
def test_a_redirect_to_the_public_address_is_followed_at_the_one_that_can_be_reached(
    sites: list[_Site], below: str
) -> None:
    ours, other = sites
    public = "https://label.example/annotate"
    ours.leads_to = {
        f"{below}/tasks/1/resolve/?fileuri=x": f"{public}/data/upload/1/a.png?b=c",
        f"{below}/data/upload/d": f"{public}-other/data/upload/d",
        f"{below}/data/upload/e": f"{public}/api/users/",
    }
    fetcher = _fetcher(ours.url + below, public_url=public)
    assert fetcher.fetch(f"{ours.url}{below}/tasks/1/resolve/?fileuri=x") == b"picture"
    assert ours.paths[-1] == f"{below}/data/upload/1/a.png?b=c"
    assert ours.tokens == ["Token secret"] * 2
    with pytest.raises(ImageError, match="MFP_IMAGE_HOSTS"):
        fetcher.fetch(f"{ours.url}{below}/data/upload/d")
    with pytest.raises(ImageError, match="not a path at which Label Studio serves images"):
        fetcher.fetch(f"{ours.url}{below}/data/upload/e")
    assert other.tokens == []


def test_a_redirect_between_both_names_ends(sites: list[_Site]) -> None:
    ours, _ = sites
    public = "https://label.example"
    ours.leads_to = {"/data/upload/a": f"{public}/data/upload/a"}
    with pytest.raises(ImageError, match="more than 5 redirects"):
        _fetcher(ours.url, public_url=public).fetch(f"{ours.url}/data/upload/a")


def test_certificates_that_went_away_are_named() -> None:
    fetcher = _fetcher(hosts=("127.0.0.1",), private_networks=_LOOPBACK, ca_bundle="gone.pem")
    with pytest.raises(ImageError, match="SSL_CERT_FILE=gone.pem: .*No such file"):
        fetcher.fetch("https://127.0.0.1/a.png")
