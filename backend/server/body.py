"""A request's JSON, within limits that are looked at before it is read."""

from __future__ import annotations

import re

import numpy as np
from werkzeug.wrappers import Request

from backend.label_studio.points import RequestError
from mfp_model.files import parsed_json

_MAX_DEPTH = 60
_MAX_PARTS = 2_000_000  # lists, objects and texts
_STRUCTURE = b'"[]{}'
_REST = bytes(sorted(set(range(256)) - set(_STRUCTURE)))
_TEXT = re.compile(rb'"[^"]*+"?')


def read_json(request: Request) -> object:
    """Return the body of a request.

    Raises:
        RequestError: It is no JSON, nested too deep, or has too many parts.
    """
    content = request.get_data(cache=False)
    _check_structure(content)
    try:
        # As UTF-8, in which the structure was counted; `loads` would guess from bytes.
        return parsed_json(content.decode("utf-8-sig", errors="surrogatepass"))
    except ValueError as error:  # also a number of too many digits
        raise RequestError(f"body: not JSON ({str(error)[:80]})") from None


def _check_structure(content: bytes) -> None:
    """Count, without reading it, what would take memory and stack when it is read."""
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(None, delete=_REST)
    n_texts = marks.count(b'"') // 2
    brackets = _TEXT.sub(b"", marks)
    n_parts = n_texts + len(brackets) // 2
    if n_parts > _MAX_PARTS:
        raise RequestError(
            f"body: JSON of {n_parts} lists, objects and texts, at most {_MAX_PARTS}"
        )
    letters = np.frombuffer(brackets, dtype=np.uint8)
    steps = np.where((letters == ord("[")) | (letters == ord("{")), 1, -1)
    depth = int(np.cumsum(steps, dtype=np.int64).max(initial=0))
    if depth > _MAX_DEPTH:
        raise RequestError(f"body: JSON nested {depth} deep, at most {_MAX_DEPTH}")
