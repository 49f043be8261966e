"""Python's JSON -> JSON, piece by piece: a score that is NaN does not end the tasks behind it."""

from __future__ import annotations

import re
from typing import BinaryIO

_TOKENS = re.compile(rb"\\.|\"|-?Infinity|NaN", re.DOTALL)
_BEGUN = re.compile(rb"(?:\\+|-|-?I[a-z]{0,7}|N(?:aN?)?)\Z")  # what the next piece may go on with


class PlainJson:
    """Reads a file, with `NaN` and `Infinity` as the texts that they are in JSON."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""
        self._is_in_text = False

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes, about as many as asked for; none at the end."""
        if size == 0:
            return b""
        while piece := self._file.read(size):
            piece = self._rest + piece
            begun = _BEGUN.search(piece)
            end = begun.start() if begun else len(piece)
            self._rest = piece[end:]
            if end:
                return _TOKENS.sub(self._plain, piece[:end])
        rest, self._rest = self._rest, b""
        return rest

    def _plain(self, token: re.Match[bytes]) -> bytes:
        text = token.group()
        if text == b'"':
            self._is_in_text = not self._is_in_text
        elif not self._is_in_text and not text.startswith(b"\\"):
            return b'"' + text + b'"'
        return text
