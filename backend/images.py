"""Images by the address a task gives: uploads, local files, http(s), data URIs; cached."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import requests
from numpy.typing import NDArray

from backend.bounded_cache import BoundedCache
from backend.image_decoding import decode_image
from backend.label_studio_access import LabelStudioAccess
from mfp_model.errors import ImageError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedImage:
    """An image and the digest of the file it came from.

    Attributes:
        pixels: RGB uint8 `[H, W, 3]`, read-only.
        digest: SHA-256 of the file's content, hexadecimal.
    """

    pixels: NDArray[np.uint8]
    digest: str


class ImageLoader:
    """Fetches and decodes images, each only once while it is kept."""

    def __init__(
        self,
        access: LabelStudioAccess,
        *,
        max_megapixels: float,
        max_file_bytes: int,
        timeout_s: float,
        cache_bytes: int,
        cache_age_s: float,
    ) -> None:
        self._access = access
        self._max_megapixels = max_megapixels
        self._max_file_bytes = max_file_bytes
        self._timeout_s = timeout_s
        self._cache: BoundedCache[str, LoadedImage] = BoundedCache(
            max_bytes=cache_bytes, max_age_s=cache_age_s
        )
        self._loading = _KeyLocks()

    def load(self, address: str) -> LoadedImage:
        """Return the image at an address; concurrent calls for one address fetch it once.

        Raises:
            ImageError: The address is of an unknown kind, or its content is no usable image.
            LabelStudioError: Label Studio does not accept the token.
        """
        key = hashlib.sha256(address.encode()).hexdigest()
        with self._loading.hold(key):
            image = self._cache.get(key)
            if image is None:
                content = self._read(address)
                pixels = decode_image(content, max_megapixels=self._max_megapixels)
                image = LoadedImage(pixels=pixels, digest=hashlib.sha256(content).hexdigest())
                self._cache.put(key, image, pixels.nbytes)
            return image

    def _read(self, address: str) -> bytes:
        if address.startswith("data:"):
            return _data_uri(address)
        parts = urlsplit(address)
        if parts.scheme in ("http", "https"):
            return self._fetch(address)
        if not parts.scheme and address.startswith("/") and not address.startswith("//"):
            if not self._access.url:
                raise ImageError(
                    f"image {address[:80]!r} lies in Label Studio: set LABEL_STUDIO_URL"
                )
            return self._fetch(self._access.url + address)
        raise ImageError(
            f"image address {address[:80]!r}: expected http(s), data: or a path of Label Studio"
        )

    def _fetch(self, url: str) -> bytes:
        is_ours = _origin(url) == _origin(self._access.url)
        for attempt in range(2):
            headers = self._access.headers() if is_ours else {}
            try:
                with requests.get(
                    url, headers=headers, timeout=self._timeout_s, stream=True
                ) as response:
                    if response.status_code == 401 and is_ours and attempt == 0:
                        self._access.forget()
                        continue
                    return self._content(response, url)
            except requests.RequestException as error:
                raise ImageError(
                    f"image {_shown(url)} cannot be fetched ({type(error).__name__})"
                ) from None
        raise AssertionError("the second attempt returns or raises")

    def _content(self, response: requests.Response, url: str) -> bytes:
        asks_to_log_in = "/user/login" in urlsplit(response.url).path
        if response.status_code in (401, 403) or asks_to_log_in:
            raise ImageError(
                f"image {_shown(url)}: Label Studio does not let us have it "
                f"({response.status_code}); set LABEL_STUDIO_API_KEY to a valid token"
            )
        if response.status_code != 200:
            raise ImageError(f"image {_shown(url)}: answered {response.status_code}, expected 200")
        content = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > self._max_file_bytes:
                raise ImageError(
                    f"image {_shown(url)}: more than {self._max_file_bytes} bytes "
                    "(MFP_MAX_IMAGE_MB)"
                )
        return bytes(content)


def _data_uri(address: str) -> bytes:
    header, comma, payload = address.partition(",")
    if not comma:
        raise ImageError("data URI without a comma before its data")
    try:
        if header.endswith(";base64"):
            return base64.b64decode(payload, validate=True)
    except binascii.Error:
        raise ImageError("data URI: not valid base64") from None
    return unquote_to_bytes(payload)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _shown(url: str) -> str:
    """The address without its query, which may hold a signature, for messages and logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


class _KeyLocks:
    """One lock per key, kept only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        with self._guard:
            lock, n_users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, n_users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, n_users = self._locks[key]
                if n_users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, n_users - 1)
