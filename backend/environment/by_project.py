"""Values of a setting that projects have of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from backend.environment.reader import Reader, Refused

T = TypeVar("T")


def by_project(part: Reader[T], word: str) -> Reader[Mapping[str, T]]:
    """Values by project id, `""` for all others.

    A variable has `VALUE` and `PROJECT:VALUE` with commas between. TOML has one value, or a table
    of project ids and `default`.

    Args:
        part: What the values are.
        word: What they are called.
    """
    expected = f"{word} or PROJECT:{word}"
    expected_in_toml = f"{word}, or a table of {word} by project"

    def add(
        values: dict[str, T], project: str, item: object, read: Callable[[], T], whole: str
    ) -> None:
        if project and not project.isdecimal():
            raise Refused(f"{project!r} is no project's number; expected {whole}")
        name = str(int(project)) if project else ""
        if name in values:
            raise Refused(f"{project or 'all others'!r} stands there twice; expected {whole}")
        try:
            values[name] = read()
        except ValueError:
            raise Refused(
                f"{item!r}: expected {part.expected}; as a whole, expected {whole}"
            ) from None

    def from_text(value: str) -> Mapping[str, T]:
        values: dict[str, T] = {}
        for entry in filter(None, (entry.strip().lower() for entry in value.split(","))):
            project, _, item = entry.rpartition(":")
            add(values, project, item, lambda item=item: part.from_text(item), expected)  # type: ignore[misc]
        return values

    def from_toml(value: object, folder: Path) -> Mapping[str, T]:
        values: dict[str, T] = {}
        table = value if isinstance(value, dict) else {"default": value}
        for key, item in table.items():
            project = "" if key == "default" else str(key)
            add(
                values,
                project,
                item,
                lambda item=item: part.from_toml(item, folder),  # type: ignore[misc]
                expected_in_toml,
            )
        return values

    return Reader(expected=expected, from_text=from_text, from_toml=from_toml)
