"""What all tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from backend.images.decoder import Decoder


@pytest.fixture(scope="session", autouse=True)
def shared_decoders() -> Iterator[None]:
    """Services of one limit decode in the same processes, instead of each starting its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.server.service.Decoder", cache(Decoder))
        yield
