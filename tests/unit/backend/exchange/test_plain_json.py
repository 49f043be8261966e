"""JSON with what Python writes beside it."""

from __future__ import annotations

import io
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from backend.exchange.plain_json import PlainJson

_TEXTS = st.text(alphabet='\\"NaInfinity-: ,', max_size=12)
_VALUES = st.recursive(
    st.floats() | st.integers() | st.none() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=3),
)


def _named(value: object) -> object:
    """The value with texts in the place of what JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, list):
        return [_named(element) for element in value]
    if isinstance(value, dict):
        return {name: _named(element) for name, element in value.items()}
    return value


@given(_VALUES, st.integers(1, 9))
def test_numbers_that_are_none_become_texts_and_texts_stay(value: object, size: int) -> None:
    file = PlainJson(io.BytesIO(json.dumps(value).encode()))
    assert file.read(0) == b""
    read = b"".join(iter(lambda: file.read(size), b""))

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is left")

    assert json.loads(read, parse_constant=refuse) == _named(value)
