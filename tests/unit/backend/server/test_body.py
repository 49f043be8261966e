"""Bodies that would take more than they should."""

from __future__ import annotations

import json
import time

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from backend.label_studio.points import RequestError
from backend.server.body import read_json


def _request(content: bytes) -> Request:
    builder = EnvironBuilder(method="POST", data=content, content_type="application/json")
    return builder.get_request(Request)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        3,
        None,
        "a b",
        {"a": [1, {"b": ']]]][[[{{\\""\\'}]},
        {"\\": "\\\\", "é": "\u2028 [[["},
    ],
)
def test_json_is_read_as_it_is(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert read_json(_request(text.encode())) == value


@pytest.mark.parametrize("n", [61, 1000, 100_000, 3_000_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}"), ("[", "")])
def test_json_nested_too_deep_is_refused(n: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    with pytest.raises(RequestError, match="nested|at most"):
        read_json(_request((opening * n + "1" + closing * n).encode()))


@pytest.mark.parametrize(
    "text", [r"\n", r"\\", r"\\\"", r"\\\\\n", r"\u0022", r"\n\"", r"\"\n\\", r"[\n["]
)
def test_no_text_before_them_hides_brackets(text: str) -> None:
    content = f'{{"{text}": "{text}", "b": {"[" * 500}{"]" * 500}}}'
    with pytest.raises(RequestError, match="nested 501 deep"):
        read_json(_request(content.encode()))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_no_encoding_hides_brackets(encoding: str) -> None:
    content = f'["\\"", {"[" * 500}{"]" * 500}]'
    with pytest.raises(RequestError, match="nested 501 deep"):
        read_json(_request(content.encode()))
    with pytest.raises(RequestError, match="not JSON"):
        read_json(_request(content.encode(encoding)))


def test_json_may_begin_with_a_mark_of_utf_8() -> None:
    assert read_json(_request('{"é": 1}'.encode("utf-8-sig"))) == {"é": 1}


def test_brackets_in_texts_do_not_count() -> None:
    value = {"a\n": '\n[{"' * 100, "b": "\\" + '"[\\' * 100}
    assert read_json(_request(json.dumps(value).encode())) == value


def test_sixty_deep_is_deep_enough() -> None:
    assert read_json(_request(b"[" * 60 + b"]" * 60))


@pytest.mark.parametrize("part", ["[],", '"",', "{},", '"a":[1],'])
def test_json_of_too_many_parts_is_refused_before_it_is_read(part: str) -> None:
    started = time.perf_counter()
    with pytest.raises(RequestError, match="at most 2000000"):
        read_json(_request(b"[" + part.encode() * 2_100_000 + b"1]"))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"nul", b"\xff\xfe", b"[1,]", b"9" * 5000, b'"\\', b'["a', b"]", b'"' * 9],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(RequestError, match="body"):
        read_json(_request(content))


def test_looking_at_a_megabyte_takes_milliseconds() -> None:
    rows = [{"value": {"rle": list(range(256)) * 130}, "id": '\n\\"' * 9999} for _ in range(10)]
    request = _request(json.dumps(rows).encode())
    started = time.thread_time()
    read_json(request)
    assert time.thread_time() - started < 1
