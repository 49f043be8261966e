"""Images by the address a task gives, decoded and kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.images.address import split_address
from backend.images.sources import ImageFiles
from backend.storage.bounded_cache import BoundedCache, OnUse
from mfp_model.errors import ImageError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedImage:
    """An image and the digest of the file it came from.

    Attributes:
        pixels: RGB uint8 `[H, W, 3]`, read-only.
        digest: SHA-256 of the file's content, hexadecimal.
    """

    pixels: NDArray[np.uint8]
    digest: str

    def check_size(self, *, width: int, height: int) -> None:
        """Refuse to be of another size than the page sees.

        Raises:
            ImageError: It is of another size.
        """
        there = self.pixels.shape[1], self.pixels.shape[0]
        if there != (width, height):
            raise ImageError(f"image is {there[0]}x{there[1]}, but the page sees {width}x{height}")


class ImageLoader:
    """Fetches and decodes images, each only once while it is kept."""

    def __init__(
        self,
        files: ImageFiles,
        *,
        decode: Callable[[bytes], NDArray[np.uint8]],
        cache_bytes: int,
        cache_age_s: float,
        on_use: OnUse = lambda is_kept, n_bytes: None,
    ) -> None:
        """Make a loader.

        Args:
            files: What reads the images.
            decode: Returns the pixels of a file's content, read-only.
            cache_bytes: Pixels kept.
            cache_age_s: Images are fetched again after this time.
            on_use: Told after each load whether the image was kept, and the bytes held.
        """
        self._files = files
        self._decode = decode
        self._cache: BoundedCache[str, LoadedImage] = BoundedCache(
            max_bytes=cache_bytes, max_age_s=cache_age_s
        )
        self._on_use = on_use
        self._loading = _KeyLocks()

    def load(self, address: str, *, task_id: str) -> LoadedImage:
        """Return a task's image; concurrent calls for one image fetch it once.

        Raises:
            ImageError: The file cannot be read or is no usable image.
            LabelStudioError: Label Studio does not accept the token.
        """
        # What a cloud address stands for is up to the storage settings of the task's project.
        owner = "" if split_address(address).scheme in ("", "data", "http", "https") else task_id
        key = hashlib.sha256(f"{owner} {address}".encode(errors="surrogatepass")).hexdigest()
        with self._loading.hold(key):
            kept = image = self._cache.get(key)
            if image is None:
                content = self._files.read(address, task_id)
                pixels = self._decode(content)
                image = LoadedImage(pixels=pixels, digest=hashlib.sha256(content).hexdigest())
                self._cache.put(key, image, pixels.nbytes)
            self._on_use(kept is not None, self._cache.n_bytes)
            return image


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
