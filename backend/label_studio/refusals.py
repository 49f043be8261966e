"""What Label Studio means by an answer that is no success, in a sentence with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError

_LONGEST = 300
_OF_ALL = (401, 403, 408, 429)  # what will be answered to anything, or to the same not any more
_PROJECT = re.compile(r"/projects/(\d+)|[?&]project=(\d+)")


def checked_json(response: requests.Response, url: str, what: str) -> Any:  # noqa: ANN401, JSON of any form
    """Return the content of an answer.

    Args:
        response: The answer.
        url: Label Studio's address.
        what: What was asked, such as `GET /api/projects/7/`.

    Raises:
        LabelStudioRefusedError: What was sent is refused.
        LabelStudioError: It is another failure, or no JSON.
    """
    if not response.ok:
        is_about_this = 400 <= response.status_code < 500 and response.status_code not in _OF_ALL
        kind = LabelStudioRefusedError if is_about_this else LabelStudioError
        raise kind(_sentence(response, url, what))
    try:
        return response.json()
    except ValueError:
        raise LabelStudioError(
            f"{url} answered {_short(what)} with something else than JSON: is LABEL_STUDIO_URL the "
            "address of Label Studio?"
        ) from None


@contextmanager
def of_known_form(url: str) -> Iterator[None]:
    """Refuse an answer in which something else is looked for than it has.

    Args:
        url: Label Studio's address.

    Raises:
        LabelStudioError: The answer is of another form.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LabelStudioError(
            f"{url} answered JSON of another form than Label Studio's "
            f"({type(error).__name__}: {error}): is LABEL_STUDIO_URL its address?"
        ) from error


def _short(what: str) -> str:
    """What was asked without most of its query."""
    return what.partition("&")[0]


def _sentence(response: requests.Response, url: str, what: str) -> str:
    code, reason, shown = response.status_code, _reason(response), _short(what)
    if code == 401:
        return (
            f"Label Studio at {url} does not accept LABEL_STUDIO_API_KEY (401): the token is "
            "wrong; it is under Account & Settings, and a legacy token works only where the "
            "organisation allows those"
        )
    if code == 403:
        return (
            f"Label Studio at {url} does not allow {shown} with this token (403: {reason}): take "
            "the token of a user who may, under Account & Settings"
        )
    if code == 404:
        if project := _PROJECT.search(what):
            number = project[1] or project[2]
            return (
                f"Label Studio at {url} has no project {number} that the token's user may see; "
                "its number is in the project's address, /projects/NUMBER/data"
            )
        return f"Label Studio at {url} does not know {shown} (404): is LABEL_STUDIO_URL right?"
    if code == 400:
        return f"Label Studio refuses {shown}: {reason}"
    return f"Label Studio answered {code} to {shown}: {reason}"


def _reason(response: requests.Response) -> str:
    """What Label Studio says itself: its sentences, without the JSON around them."""
    try:
        content = response.json()
    except ValueError:
        return response.text[:_LONGEST]
    if isinstance(content, dict) and content.get("validation_errors"):
        content = content["validation_errors"]
    elif isinstance(content, dict) and content.get("detail"):
        content = content["detail"]
    return "; ".join(dict.fromkeys(_sentences(content)))[:_LONGEST]


def _sentences(content: object, key: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _sentences(value, str(name))
    elif isinstance(content, list):
        for value in content:
            yield from _sentences(value, key)
    else:
        is_named = key not in ("", "detail", "non_field_errors")
        yield f"{key}: {content}" if is_named else str(content)
