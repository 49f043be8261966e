"""What was computed from an image, kept for the newest images."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value")


class ImageCache(Generic[_Value]):
    """Values by the images' content, the least recently used out first; safe between threads."""

    def __init__(self, *, max_images: int) -> None:
        self._max_images = max_images
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Value] = OrderedDict()

    def get(self, image: NDArray[np.uint8], compute: Callable[[], _Value]) -> _Value:
        """Return the value of an image uint8 `[H, W, 3]`, computed where it is not kept."""
        key = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        key += str(image.shape).encode()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = compute()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._max_images:
                self._kept.popitem(last=False)
        return value
