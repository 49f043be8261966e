"""Values of a setting that projects have of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from backend.environment.reader import Reader, Refused

T = TypeVar("T")
Item = TypeVar("Item")


def by_project(part: Reader[T], word: str) -> Reader[Mapping[str, T]]:
    """Values by project id, `""` for all others.

    A variable has `VALUE` and `PROJECT:VALUE` with commas between. TOML has one value, or a table
    of project ids and `default`.

    Args:
        part: What the values are.
        word: What they are called.
    """
    expected = f"{word} or PROJECT:{word}"

    def from_text(value: str) -> Mapping[str, T]:
        entries = filter(None, (entry.strip().lower() for entry in value.split(",")))
        items = ((project, item) for project, _, item in (x.rpartition(":") for x in entries))
        return _values(items, part.from_text, part.expected, whole=expected)

    def from_toml(value: object, folder: Path) -> Mapping[str, T]:
        table = value if isinstance(value, dict) else {"default": value}
        items = (("" if key == "default" else str(key), item) for key, item in table.items())
        whole = f"{word}, or a table of {word} by project"
        return _values(items, lambda item: part.from_toml(item, folder), part.expected, whole=whole)

    return Reader(expected=expected, from_text=from_text, from_toml=from_toml)


def _values(
    items: Iterable[tuple[str, Item]], read: Callable[[Item], T], expected: str, *, whole: str
) -> dict[str, T]:
    """The value of each project, of which none may stand there twice."""
    values: dict[str, T] = {}
    for project, item in items:
        if project and not project.isdecimal():
            raise Refused(f"{project!r} is no project's number; expected {whole}")
        name = str(int(project)) if project else ""
        if name in values:
            raise Refused(f"{project or 'all others'!r} stands there twice; expected {whole}")
        try:
            values[name] = read(item)
        except ValueError:
            raise Refused(f"{item!r}: expected {expected}; as a whole, expected {whole}") from None
    return values
