"""A call of Label Studio's API, sent again where that may help."""

from __future__ import annotations

import logging
import time
from typing import Any

from backend.label_studio.access import PASSING, LabelStudioAccess, LabelStudioUnreachableError
from backend.label_studio.refusals import checked_json

_log = logging.getLogger(__name__)
_TIMEOUT_S = 60
_NOT_DONE = (429, 503)  # what may be sent again, whatever it is
_REPEATABLE = ("GET", "PATCH")


def call(
    access: LabelStudioAccess,
    method: str,
    path: str,
    *,
    waits_s: tuple[float, ...] = (),
    body: object = None,
    files: dict[str, bytes] | None = None,
    is_harmless: bool = False,
) -> Any:  # noqa: ANN401, JSON of any form
    """Return what Label Studio answers.

    Args:
        access: The way to it.
        method: Of HTTP.
        path: With its query.
        waits_s: How long to wait before each further try, seconds.
        body: Sent as JSON.
        files: Sent as a form, by name.
        is_harmless: It does not matter whether it is done twice.

    Raises:
        LabelStudioRefusedError: What was sent is refused.
        LabelStudioError: It cannot be reached, or fails.
        DataError: The body cannot be sent as JSON.
    """
    is_repeatable = is_harmless or method in _REPEATABLE
    passing = PASSING if is_repeatable else _NOT_DONE
    for wait_s in (*waits_s, None):
        try:
            response = access.request(
                method, path, timeout_s=_TIMEOUT_S, body=body, files=files, is_redirected=True
            )
        except LabelStudioUnreachableError:
            if wait_s is None or not is_repeatable:
                raise
        else:
            if wait_s is None or response.status_code not in passing:
                break
        _log.warning("Label Studio at %s is away: asked again in %g s", access.url, wait_s)
        time.sleep(wait_s)
    return checked_json(response, access.url, f"{method} {path}")
