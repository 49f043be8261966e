"""Who may enter: Basic auth."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

BASIC_CHALLENGE = 'Basic realm="label-studio-mfp"'


class Doorkeeper:
    """Knows the password."""

    def __init__(self, username: str, password: str) -> None:
        """Take what is accepted; an empty password lets everybody in."""
        self._is_open = not password
        self._accepted = _accepted(username, password)

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        """Return whether headers, named as WSGI does without `HTTP_`, carry the password."""
        return self._is_open or _may_enter(headers.get("AUTHORIZATION", ""), self._accepted)


def _accepted(username: str, password: str) -> tuple[bytes, ...]:
    """Credentials as they may be sent: browsers encode them in UTF-8, Label Studio in Latin-1."""
    text = f"{username}:{password}"
    encodings = ("utf-8", "latin-1") if max(map(ord, text)) < 256 else ("utf-8",)
    return tuple(base64.b64encode(text.encode(encoding)) for encoding in encodings)


def _may_enter(header: str, accepted: tuple[bytes, ...]) -> bool:
    kind, _, credentials = header.partition(" ")
    given = credentials.strip().encode(errors="replace")
    # All are compared, so that the time tells nothing.
    return kind.lower() == "basic" and any(
        [hmac.compare_digest(given, login) for login in accepted]
    )
