"""A question to Label Studio beside a click: one try, short, and never redirected."""

from __future__ import annotations

from typing import Any

from backend.label_studio.access import LabelStudioAccess, LabelStudioError

_TIMEOUT_S = 10.0


def ask(access: LabelStudioAccess, path: str, about: str) -> Any:  # noqa: ANN401, JSON of any form
    """Return what Label Studio answers.

    Args:
        access: The way to it.
        path: What is asked, such as `/api/projects/7/`.
        about: For messages, such as `project 7`.

    Raises:
        LabelStudioError: It cannot be reached, or answers something else.
    """
    response = access.request("GET", path, timeout_s=_TIMEOUT_S)
    if response.status_code != 200:
        raise LabelStudioError(f"Label Studio answered {response.status_code} about {about}")
    try:
        return response.json()
    except ValueError:
        raise LabelStudioError(f"Label Studio answered no JSON about {about}") from None
