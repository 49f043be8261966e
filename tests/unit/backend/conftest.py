"""What all tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from backend.images.decoder import Decoder
from backend.label_studio.projects import ProjectSettings


@pytest.fixture(scope="session", autouse=True)
def shared_decoders() -> Iterator[None]:
    """Services of one limit decode in the same processes, instead of each starting its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.server.service.Decoder", cache(Decoder))
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_clicks() -> Iterator[None]:
    """A project's first click waits as long as a busy machine takes to ask for its settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ProjectSettings.__init__.__kwdefaults__, "max_wait_s", 20.0)
        yield
