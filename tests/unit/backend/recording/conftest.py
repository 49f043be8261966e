"""Fixtures of the tests of recording."""

from __future__ import annotations

import pytest

from tests.fakes import temporary_settings
from tests.unit.backend.recording.person import Person


@pytest.fixture
def person() -> Person:
    return Person(temporary_settings())
