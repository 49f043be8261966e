import base64
import io
import threading
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network

import pytest
from PIL import Image

from backend.images.decoding import decode_image
from backend.images.loader import ImageLoader
from backend.images.sources import ImageSources
from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from mfp_model.errors import ImageError
from tests.fakes import LoopbackSite, QuietHandler


def _png(width: int = 6, height: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


class FakeLabelStudio(LoopbackSite):
    """Serves one upload to those with the right token; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.content = _png()
        self.accepts = {"Token secret", "Bearer short-1"}
        self.n_bearers = 0
        self.requests: list[tuple[str, str | None]] = []


class _Handler(QuietHandler):
    server: FakeLabelStudio

    def do_GET(self) -> None:
        token = self.headers.get("Authorization")
        self.server.requests.append((self.path, token))
        if self.path.startswith(("/public", "/static")):
            self._answer(200, self.server.content)
        elif token not in self.server.accepts:
            self._answer(401, b"no")
        elif self.path.startswith("/data/upload/1/a.png"):
            self._answer(200, self.server.content)
        else:
            self._answer(404, b"none")

    def do_POST(self) -> None:
        self.server.n_bearers += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"good.refresh.token" in body:
            self._answer(200, b'{"access": "short-%d"}' % self.server.n_bearers)
        else:
            self._answer(401, b"{}")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def label_studio() -> Iterator[FakeLabelStudio]:
    with FakeLabelStudio().serving() as server:
        yield server


def _loader(url: str, key: str = "secret", **limits: float) -> ImageLoader:
    access = LabelStudioAccess(url=url, api_key=key, timeout_s=5)
    max_bytes = int(limits.get("max_file_bytes", 1e6))
    allowed = FetchLimits(
        max_bytes=max_bytes,
        timeout_s=5,
        total_s=20,
        hosts=("127.0.0.1",),
        private_networks=(ip_network("127.0.0.0/8"),),
    )
    sources = ImageSources(WebFetcher(access, allowed), label_studio_url=url, max_bytes=max_bytes)
    return ImageLoader(
        sources,
        decode=partial(decode_image, max_megapixels=limits.get("max_megapixels", 1)),
        cache_bytes=int(limits.get("cache_bytes", 1e6)),
        cache_age_s=60,
    )


def test_an_upload_is_fetched_once_with_the_legacy_token(label_studio: FakeLabelStudio) -> None:
    loader = _loader(label_studio.url)
    first, second = (loader.load("/data/upload/1/a.png", task_id="1") for _ in range(2))
    assert first.pixels.shape == (4, 6, 3)
    assert first is second
    assert label_studio.requests == [("/data/upload/1/a.png", "Token secret")]


def test_concurrent_loads_fetch_once(label_studio: FakeLabelStudio) -> None:
    loader = _loader(label_studio.url)
    threads = [
        threading.Thread(
            target=loader.load, args=("/data/upload/1/a.png",), kwargs={"task_id": "1"}
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(label_studio.requests) == 1


def test_a_personal_access_token_is_exchanged_and_kept(label_studio: FakeLabelStudio) -> None:
    loader = _loader(label_studio.url, "good.refresh.token", cache_bytes=0)
    for _ in range(2):
        loader.load("/data/upload/1/a.png", task_id="1")
    assert [token for _, token in label_studio.requests] == ["Bearer short-1"] * 2
    assert label_studio.n_bearers == 1


def test_a_short_lived_token_that_ended_is_renewed_once(label_studio: FakeLabelStudio) -> None:
    loader = _loader(label_studio.url, "good.refresh.token", cache_bytes=0)
    loader.load("/data/upload/1/a.png", task_id="1")
    label_studio.accepts = {"Bearer short-2"}
    loader.load("/data/upload/1/a.png", task_id="1")
    assert label_studio.requests[-1][1] == "Bearer short-2"


def test_wrong_tokens_say_what_to_do(label_studio: FakeLabelStudio) -> None:
    with pytest.raises(ImageError, match="LABEL_STUDIO_API_KEY"):
        _loader(label_studio.url, "wrong").load("/data/upload/1/a.png", task_id="1")
    with pytest.raises(LabelStudioError, match="create a new one"):
        _loader(label_studio.url, "bad.refresh.token").load("/data/upload/1/a.png", task_id="1")


def test_the_token_goes_to_label_studio_only(label_studio: FakeLabelStudio) -> None:
    loader = _loader("http://label-studio.example")
    assert loader.load(f"{label_studio.url}/public/a.png", task_id="1").pixels.shape == (4, 6, 3)
    assert label_studio.requests == [("/public/a.png", None)]


def test_the_digest_is_that_of_the_content(label_studio: FakeLabelStudio) -> None:
    loader = _loader(label_studio.url, cache_bytes=0)
    first = loader.load("/data/upload/1/a.png", task_id="1").digest
    assert loader.load(f"{label_studio.url}/static/other.png", task_id="1").digest == first
    label_studio.content = _png(7, 7)
    assert loader.load("/data/upload/1/a.png", task_id="1").digest != first


def test_data_uris_are_decoded() -> None:
    loader = _loader("")
    uri = "data:image/png;base64," + base64.b64encode(_png()).decode()
    assert loader.load(uri, task_id="1").pixels.shape == (4, 6, 3)
    with pytest.raises(ImageError, match="base64"):
        loader.load("data:image/png;base64,&&&", task_id="1")
    with pytest.raises(ImageError, match="comma"):
        loader.load("data:image/png", task_id="1")


def test_limits_and_unknown_addresses_say_what_was_expected(label_studio: FakeLabelStudio) -> None:
    with pytest.raises(ImageError, match="MFP_MAX_IMAGE_MB"):
        _loader(label_studio.url, max_file_bytes=20).load("/data/upload/1/a.png", task_id="1")
    with pytest.raises(ImageError, match="MFP_MAX_MEGAPIXELS"):
        _loader(label_studio.url, max_megapixels=0.000001).load("/data/upload/1/a.png", task_id="1")
    with pytest.raises(ImageError, match="answered 404"):
        _loader(label_studio.url).load("/data/upload/1/b.png", task_id="1")
    for address in ("ftp://host/a.png", "file:///etc/passwd", "a.png", ""):
        with pytest.raises(ImageError, match="expected http"):
            _loader(label_studio.url).load(address, task_id="1")
    with pytest.raises(ImageError, match="'host' is not allowed"):  # as browsers read it
        _loader(label_studio.url).load("//host/a.png", task_id="1")
    with pytest.raises(ImageError, match="set LABEL_STUDIO_URL"):
        _loader("").load("/data/upload/1/a.png", task_id="1")


def test_an_address_that_nobody_answers_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="cannot be fetched"):
        _loader("http://127.0.0.1:9").load("/data/upload/1/a.png?secret=x", task_id="1")
