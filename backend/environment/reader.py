"""A kind of value that settings have, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Refused(ValueError):
    """A value that cannot be used, with a reason that the kind's name does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[T_co]):
    """One kind of value. Both functions raise `ValueError` for what is none.

    Attributes:
        expected: What is expected, as errors and the reference page say it.
        from_text: Reads a variable's text, without spaces around it.
        from_toml: Reads a TOML value; paths in it are relative to the file's folder.
        is_secret: Whether the value must not be shown.
    """

    expected: str
    from_text: Callable[[str], T_co]
    from_toml: Callable[[object, Path], T_co]
    is_secret: bool = False


def of_text(expected: str, read: Callable[[str], T], *, is_secret: bool = False) -> Reader[T]:
    """Return a kind of value that TOML writes as a string, too."""
    return Reader(
        expected=expected,
        from_text=read,
        from_toml=lambda value, _: read(of_kind(str, value)),
        is_secret=is_secret,
    )


def of_kind(kind: type[T], value: object) -> T:
    """Return a TOML value of this type; `ValueError` for another one."""
    if not isinstance(value, kind):
        raise ValueError
    return value


def checked(value: T, is_good: bool) -> T:
    """Return a value; `ValueError` where it is not good."""
    if not is_good:
        raise ValueError
    return value
