"""Text in letters that every database stores."""

from __future__ import annotations


def storable_text(text: str) -> str:
    """Return a text whose halves of letters, and the letter zero, are written out.

    No database stores the halves, and PostgreSQL does not store the zero.
    """
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
