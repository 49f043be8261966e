"""Python's JSON -> JSON, piece by piece: one number that cannot be read ends no task behind it.

What is nested deeper than any task is refused: ijson would take memory by the square of it.
"""

from __future__ import annotations

import math
import re
from typing import BinaryIO

import ijson
import numpy as np

_NUMBER = rb"-?(?:Infinity|\d{19,}(?:\.\d+)?(?:[eE][-+]?\d+)?|\d[\d.]*[eE]\+?\d{3,})|NaN"
_TOKENS = re.compile(rb"\\.|\"|(?<![-+.\w])(?:" + _NUMBER + rb")(?![-+.\w])", re.DOTALL)
_BEGUN = re.compile(rb"(?<![-+.\w])[-+.\w]+\Z")  # what the next piece may go on with
_LONGEST_BYTES = 5000  # of a number that is looked at
_MAX_DEPTH = 500
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


class PlainJson:
    """Reads a file; `NaN`, `Infinity`, and numbers beyond 64 bits are the texts of their digits."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""
        self._is_in_text = False
        self._depth = 0

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes, about as many as asked for; none at the end.

        Raises:
            JSONError: They are nested too deep.
        """
        if size == 0:
            return b""
        while piece := self._file.read(size):
            piece = self._rest + piece
            end = _whole(piece)
            self._rest = piece[end:]
            if end:
                self._check_depth(piece[:end])
                return _TOKENS.sub(self._plain, piece[:end])
        rest, self._rest = self._rest, b""
        return _TOKENS.sub(self._plain, rest)

    def _check_depth(self, piece: bytes) -> None:
        bare = _TEXT.sub(b"", b'"' + piece if self._is_in_text else piece)
        brackets = np.frombuffer(bare.translate(None, delete=_NO_BRACKETS), dtype=np.uint8)
        depths = self._depth + np.cumsum(np.where(np.isin(brackets, tuple(b"[{")), 1, -1))
        if depths.max(initial=0) > _MAX_DEPTH:
            raise ijson.JSONError(f"nested more than {_MAX_DEPTH} deep")
        self._depth = int(depths[-1]) if len(depths) else self._depth

    def _plain(self, token: re.Match[bytes]) -> bytes:
        text = token.group()
        if text == b'"':
            self._is_in_text = not self._is_in_text
        elif not self._is_in_text and not text.startswith(b"\\") and not _fits(text):
            return b'"' + text + b'"'
        return text


def _whole(piece: bytes) -> int:
    """How much of a piece can be read without the next one."""
    end = len(piece.rstrip(b"\\"))
    begun = _BEGUN.search(piece, max(0, end - _LONGEST_BYTES)) if end == len(piece) else None
    return begun.start() if begun else end


def _fits(number: bytes) -> bool:
    """Whether 64 bits hold a number."""
    if number.lstrip(b"-").isdigit():
        return len(number) <= 20 and -(2**63) <= int(number) < 2**63
    return math.isfinite(float(number))
