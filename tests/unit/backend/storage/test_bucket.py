"""A bucket: S3's language, and any other that fsspec speaks."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import socket
import threading
import weakref
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from backend.storage import bucket as bucket_module
from backend.storage.bucket import Bucket
from backend.storage.errors import StorageError
from mfp_model.errors import ConfigError
from tests.buckets import s3

pytestmark = pytest.mark.slow


class Answering(ThreadingHTTPServer):
    """Answers all requests alike, and keeps them.

    Attributes:
        status: Of its answers; 0 for none.
        content: Of its answers.
        requests: What was asked, with the headers.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status, self.content = 200, b""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.is_over = threading.Event()


class _Answer(BaseHTTPRequestHandler):
    server: Answering
    protocol_version = "HTTP/1.1"  # which continues when a client expects it

    def do_GET(self) -> None:
        self.server.requests.append((f"{self.command} {self.path}", dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.server.status:
            self.server.is_over.wait(30)
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """The server that Amazon's tools are led to."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Answering() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(params=["s3", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path / 'bucket [1]'}"
    else:
        with s3():
            yield "s3://mfp/some folder [1]"


def test_files_are_written_read_listed_and_removed(url: str, tmp_path: Path) -> None:
    here, there = Bucket(url), Bucket(url + "/")
    assert here.url == there.url == url
    assert here.stamps("models/*/*") == {}
    assert here.read("models/v1/manifest.json") is None
    here.write("models/v1/manifest.json", b"{}")
    (tmp_path / "weights").write_bytes(b"w" * 3_000_000)
    here.upload(tmp_path / "weights", "models/v1/weights")
    assert there.read("models/v1/manifest.json") == b"{}"
    there.download("models/v1/weights", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"w" * 3_000_000
    assert set(there.stamps("models/*/*")) == {"models/v1/manifest.json", "models/v1/weights"}
    assert set(there.stamps("models/*/*.json")) == {"models/v1/manifest.json"}
    here.remove("models/v1/weights")
    here.remove("models/v1/weights")
    assert set(there.stamps("models/v1/*")) == {"models/v1/manifest.json"}
    with pytest.raises(StorageError, match="MFP_BUCKET="):
        there.download("models/v1/weights", tmp_path / "copy")


def test_what_changed_has_another_stamp(url: str) -> None:
    bucket = Bucket(url)
    stamps = set()
    for content in (b"a", b"bb", b"ccc"):
        bucket.write("key", content)
        stamps.add(bucket.stamps("key")["key"])
    assert len(stamps) == 3


def test_a_forked_process_uses_it_too(url: str) -> None:
    bucket = Bucket(url)
    bucket.write("key", b"before")
    process = multiprocessing.get_context("fork").Process(
        target=bucket.write, args=("key", b"forked"), daemon=True
    )
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert bucket.read("key") == b"forked"


def test_a_forked_process_leaves_the_connections_of_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    def url_to_fs(*_: object, **__: object) -> tuple[Mock, str]:
        files = Mock()
        opened.append(weakref.ref(files))
        return files, "mfp"

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    bucket = Bucket("s3://mfp")
    monkeypatch.setattr("os.getpid", lambda: 0)
    bucket.write("key", b"forked")
    gc.collect()
    assert [files() is not None for files in opened] == [True, True]


@pytest.mark.slow
def test_a_bucket_that_is_away_or_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3():
        with pytest.raises(StorageError, match="MFP_BUCKET=s3://none/mfp: .*NoSuchBucket"):
            Bucket("s3://none/mfp").check()
        Bucket("s3://mfp").check()
        assert Bucket("s3://mfp").stamps("*") == {}
        assert Bucket("s3://none/mfp").read("key") is None
        bucket = Bucket("s3://mfp")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for ask in (lambda: bucket.stamps("*"), lambda: Bucket("s3://mfp").read("key")):
        with pytest.raises(StorageError, match="MFP_BUCKET=s3://mfp: .*127.0.0.1"):
            ask()


def test_what_is_written_is_signed_as_all_servers_understand_it(answering: Answering) -> None:
    Bucket("s3://mfp").write("key", b"content")
    (asked, headers) = answering.requests[-1]
    assert asked == "PUT /mfp/key"
    assert headers["X-Amz-Content-SHA256"] == hashlib.sha256(b"content").hexdigest()
    assert not [name for name in headers if "checksum" in name.lower()]


def test_many_versions_are_listed_with_one_request(answering: Answering) -> None:
    entries = "".join(
        f"<Contents><Key>team/models/v{n}/manifest.json</Key><ETag>e{n}</ETag><Size>2</Size>"
        "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        for n in range(40)
    )
    answering.content = f"<ListBucketResult>{entries}</ListBucketResult>".encode()
    stamps = Bucket("s3://mfp/team").stamps("models/*/manifest.json")
    assert stamps == {f"models/v{n}/manifest.json": f"e{n}" for n in range(40)}
    assert len(answering.requests) == 1


def test_an_answer_without_words_is_named_by_its_code(answering: Answering) -> None:
    answering.status, answering.content = 403, b"<Error><Code>AccessDenied</Code><Message/></Error>"
    with pytest.raises(StorageError, match=r"MFP_BUCKET=s3://mfp: .*AccessDenied.*PutObject"):
        Bucket("s3://mfp").check()


def test_a_server_that_does_not_answer_is_asked_twice(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bucket_module._S3, "read_timeout", 0.3)
    answering.status = 0
    with pytest.raises(StorageError, match=r"MFP_BUCKET=s3://mfp: .*timeout"):
        Bucket("s3://mfp").stamps("models/*/*")
    assert len(answering.requests) == 2


@pytest.mark.slow
def test_a_server_that_takes_nothing_does_not_stop_a_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bucket_module, "_LIMIT_S", 0.5)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "weights").write_bytes(b"w" * 100_000)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        bucket = Bucket("s3://mfp")
        for ask in (
            lambda: bucket.write("key", b"content"),
            lambda: bucket.upload(tmp_path / "weights", "key"),
        ):
            with pytest.raises(StorageError, match="MFP_BUCKET=s3://mfp: .*Timeout"):
                ask()


def test_a_kind_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"MFP_BUCKET=nothing://mfp: .*[Pp]rotocol"):
        Bucket("nothing://mfp")

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(ConfigError, match=r"pip install '.\[s3\]'"):
        Bucket("s3://mfp")
