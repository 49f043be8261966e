"""What a configuration's `value="$image"` stands for in a task, as Label Studio's page finds it.

| value | stands for |
|---|---|
| `$image`, `$meta.url`, `$images[0].url` | what lies there in the task's data |
| `https://host/$name.jpg` | a text with such values in it |
| a text without `$` | itself |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"\$[\w\[\].{}]+")
_STEP = re.compile(r"[^.\[\]]+")
_MAX_STEPS = 50
MAX_LETTERS = 20_000_000  # of a text with values in it


def resolved(value: str, data: Mapping[str, Any]) -> object:
    """Return what a value stands for in a task's data.

    None stands for what is not there, and for a text that its values make too long.
    """
    if _VARIABLE.fullmatch(value):
        return _at(data, value[1:])
    texts: dict[str, str] = {}
    n_letters = len(value)
    for variable in _VARIABLE.findall(value):
        if variable not in texts:
            texts[variable] = _text(_at(data, variable[1:]))
        n_letters += len(texts[variable])
        if n_letters > MAX_LETTERS:
            return None
    return _VARIABLE.sub(lambda variable: texts[variable[0]], value)


def list_at(value: str, data: Mapping[str, Any]) -> list[Any]:
    """Return the list that a value stands for in a task's data, an empty one for anything else."""
    place = _at(data, value[1:]) if _VARIABLE.fullmatch(value) else None
    return place if isinstance(place, list) else []


def page_at(value: str, data: Mapping[str, Any], index: object) -> tuple[object, int | None]:
    """Return what an image's value stands for, and its index where the task has a list of pages.

    Args:
        value: As an `<Image>` has it in `value` or `valueList`.
        data: The task's.
        index: Of the page; the first one counts where this is no index.
    """
    address = resolved(value, data)
    if not isinstance(address, list):
        return address, None
    page = index if isinstance(index, int) and index >= 0 else 0
    return (address[page] if page < len(address) else None), page


def key_of(value: str) -> str:
    """Return the path in the task's data that a value names."""
    return value.removeprefix("$")


def _at(data: Mapping[str, Any], path: str) -> object:
    """What lies at a path; a key that reads like a path comes first."""
    if path in data:
        return data[path]
    place: object = data
    for step in _STEP.findall(path)[:_MAX_STEPS]:
        if isinstance(place, list):
            index = int(step) if step.isdecimal() and len(step) < 10 else len(place)
            place = place[index] if index < len(place) else None
        else:
            place = place.get(step) if isinstance(place, dict) else None
    return place


def _text(value: object) -> str:
    return "" if value is None else str(value)
