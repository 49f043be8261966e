"""JSON with what Python writes beside it."""

from __future__ import annotations

import io
import json
import math

import ijson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.exchange.plain_json import PlainJson

_TEXTS = st.text(alphabet='\\"NaInfinity-: ,', max_size=12)
_LONG = st.integers(10**18, 10**19) | st.integers(-(10**400), 10**400)
_VALUES = st.recursive(
    st.floats() | st.integers() | _LONG | st.none() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=3),
)


def _named(value: object) -> object:
    """The value with texts in the place of numbers that 64 bits do not hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list):
        return [_named(element) for element in value]
    if isinstance(value, dict):
        return {name: _named(element) for name, element in value.items()}
    return value


@given(_VALUES, st.integers(1, 9))
def test_numbers_that_cannot_be_held_become_texts_and_texts_stay(value: object, size: int) -> None:
    file = PlainJson(io.BytesIO(json.dumps(value).encode()))
    assert file.read(0) == b""
    read = b"".join(iter(lambda: file.read(size), b""))

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is left")

    assert json.loads(read, parse_constant=refuse) == _named(value)


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "1" * 400 + ".5", "9" * 20, "-" + "9" * 19])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_parser_reads_on_behind_a_number_beyond_its_range(number: str, size: int) -> None:
    file = PlainJson(
        io.BytesIO(f'[{{"a": {number}}}, {{"a": 1.5e-300, "b": "{number}"}}]'.encode())
    )
    read = b"".join(iter(lambda: file.read(size), b""))
    items = list(ijson.items(io.BytesIO(read), "item", use_float=True))
    assert items == [{"a": number}, {"a": 1.5e-300, "b": number}]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_is_nested_deeper_than_any_task_is_refused_and_brackets_in_texts_are_none(
    size: int,
) -> None:
    flat = b"[" * 400 + b'"\\"' + b"[{" * 400 + b'"' + b"]" * 400
    for content in (flat, b"[" + flat * 3 + b"]"):
        file = PlainJson(io.BytesIO(content))
        assert b"".join(iter(lambda: file.read(size), b"")) == content  # noqa: B023, done within
    deep = PlainJson(io.BytesIO(b'[{"a":' * 100_000))
    with pytest.raises(ijson.JSONError, match="nested more than 500 deep"):
        list(ijson.items(deep, "item", buf_size=size))


def test_an_escape_outside_of_a_text_is_left_to_the_parser() -> None:
    assert PlainJson(io.BytesIO(b"[\\n, 1]")).read() == b"[\\n, 1]"
