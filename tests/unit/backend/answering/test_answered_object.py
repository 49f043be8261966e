"""An answer's row that was damaged on the disk."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from backend.answering.answered_object import object_of


@pytest.mark.parametrize("placed", ["", "[[]]", "5", "[null]", '[["a", "b", 1, 0, 0]]'])
def test_a_row_that_says_nothing_is_as_if_nothing_was_answered(placed: str) -> None:
    row = ("", '["r"]', "[]", placed, "[]", "", 1, 0, None, b"", b"", 1.0)
    assert object_of(row, Mock()) is None  # type: ignore[arg-type]
