"""Pictures that are their own address: `data:` as browsers read it.

Source: WHATWG, Fetch Standard, "data: URLs", and Infra Standard, "forgiving-base64 decode".
"""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from backend.images.address import cleaned
from mfp_model.errors import ImageError

_IS_BASE64 = re.compile(r";\x20*base64\s*$", re.IGNORECASE)
_BLANKS = b"\t\n\f\r "
_STRANGE = re.compile(rb"[^A-Za-z0-9+/]")
_QUANTUM = 4  # letters that make three bytes


def data_uri_content(address: str) -> bytes:
    """Return the content of a `data:` address.

    Raises:
        ImageError: It has no comma, or its base64 is damaged.
    """
    header, comma, payload = cleaned(address).partition("#")[0].partition(",")
    if not comma:
        raise ImageError("data URI without a comma before its data")
    content = unquote_to_bytes(payload)
    return _decoded(content) if _IS_BASE64.search(header) else content


def _decoded(text: bytes) -> bytes:
    """Base64 with blanks anywhere, and with or without padding."""
    letters = text.translate(None, _BLANKS)
    if len(letters) % _QUANTUM == 0:
        letters = letters[:-2] + letters[-2:].replace(b"==", b"").removesuffix(b"=")
    if len(letters) % _QUANTUM == 1 or _STRANGE.search(letters):
        raise ImageError("data URI: not valid base64")
    return base64.b64decode(letters + b"=" * (-len(letters) % _QUANTUM))
