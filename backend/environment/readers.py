"""Kinds of values that settings have: read from a variable's text, or from a file's TOML."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from backend.environment.reader import Reader, Refused, checked, of_kind, of_text
from mfp_model.errors import ConfigError
from mfp_model.names import DEVICES, listed

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_INFINITE = float("inf")
_LARGEST = 1e9  # which can be multiplied, counted in bytes, and waited for in seconds
_HOST = re.compile(r"[\w.*?!-]+|\[?[0-9a-f:.*?]*:[0-9a-f:.*?]*:[0-9a-f:.*?]*\]?")  # IPv6's, too


def text(*, is_secret: bool = False) -> Reader[str]:
    """Any text."""
    return of_text("text", str, is_secret=is_secret)


def site(*, may_have_user: bool = False) -> Reader[str]:
    """The address of a site to which paths are added, without a slash at its end."""
    unfit = r"[?#\\\s]" if may_have_user else r"[?#@\\\s]"

    def read(value: str) -> str:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and parts.port != 0  # `port` refuses more than 65535
        is_plain = has_host and not re.search(unfit, value)
        return checked(value, is_plain and parts.scheme in ("http", "https")).rstrip("/")

    nothing = "no blank" if may_have_user else "no user, blank"
    expected = f"http://… or https://…, with a host, a port up to 65535, and {nothing}, ? or #"
    return of_text(expected, read)


def token() -> Reader[str]:
    """A secret word that is sent in a header."""

    def read(value: str) -> str:
        return checked(value, re.fullmatch("[!-~]*", value) is not None)

    return of_text("letters of ASCII without blanks", read, is_secret=True)


def postgresql() -> Reader[str]:
    """The address of a PostgreSQL database, which may hold a password."""

    def read(value: str) -> str:
        parts = urlsplit(value)
        has_port = parts.port != 0 and not parts.netloc.endswith(":")
        is_postgresql = parts.scheme in ("postgresql", "postgres") and has_port
        return checked(value, is_postgresql and parts.path.strip("/") != "")

    return of_text("postgresql://… with user, password, host, port and /NAME", read, is_secret=True)


def bucket() -> Reader[str]:
    """The address of a folder in a bucket, without a slash at its end."""

    def read(value: str) -> str:
        scheme, _, place = value.partition("://")
        return checked(value, scheme.isalnum() and place.strip("/") != "").rstrip("/")

    return of_text("s3://BUCKET/FOLDER", read)


def choice(names: tuple[str, ...] | Mapping[str, str]) -> Reader[str]:
    """One of some names."""
    return of_text(f"one of {', '.join(names)}", lambda value: checked(value, value in names))


def device() -> Reader[str]:
    """A device in torch's words; whether the machine has it is not asked here."""

    def read(value: str) -> str:
        kind, _, index = value.partition(":")
        return checked(value, value in DEVICES[:-1] or (kind == "cuda" and index.isdecimal()))

    return of_text(listed(DEVICES), read)


def switch() -> Reader[bool]:
    """Yes or no."""

    def read(value: str) -> bool:
        is_yes = value.lower() in ("1", "true", "yes")
        return checked(is_yes, is_yes or value.lower() in ("0", "false", "no"))

    return Reader(
        expected="true or false", from_text=read, from_toml=lambda value, _: of_kind(bool, value)
    )


def number(*, low: float, high: float = _LARGEST) -> Reader[float]:
    """A number in a range."""
    return _number(float, "a number", low, high)


def count(*, low: int, high: float = _INFINITE) -> Reader[int]:
    """A whole number in a range."""
    return _number(int, "a whole number", low, high)


Number = TypeVar("Number", int, float)


def _number(kind: type[Number], word: str, low: float, high: float) -> Reader[Number]:
    def read(value: str | int | float) -> Number:
        try:
            number = kind(value)
            return checked(number, low <= number <= high and math.isfinite(number))
        except OverflowError:  # a whole number of hundreds of digits
            raise ValueError from None

    def from_toml(value: object, folder: Path) -> Number:
        is_number = isinstance(value, int) if kind is int else isinstance(value, int | float)
        if not is_number or isinstance(value, bool):
            raise ValueError
        return read(value)  # type: ignore[arg-type]

    limits = f"{low:g} <= value" + (f" <= {high:.15g}" if high < _INFINITE else "")
    return Reader(expected=f"{word}, {limits}", from_text=read, from_toml=from_toml)


def file() -> Reader[Path]:
    """A file that is there."""
    return _path("a file", Path.is_file, "no such file")


def new_file() -> Reader[Path]:
    """A file that is to be written; its folder may have to be made."""
    return _path("a file", _can_be_made, "is a folder, or lies where nothing can be written")


def _can_be_made(path: Path) -> bool:
    there = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    return not path.is_dir() and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def folder(*, may_be_new: bool = False) -> Reader[Path]:
    """A folder that is there, or may be made."""
    if may_be_new:
        return _path("a folder", lambda path: not path.is_file(), "is a file, expected a folder")
    return _path("a folder", Path.is_dir, "no such folder")


def _path(expected: str, is_good: Callable[[Path], bool], otherwise: str) -> Reader[Path]:
    def read(value: str, folder: Path) -> Path:
        try:
            path = folder / Path(checked(value, value != "" and "\0" not in value)).expanduser()
            if not is_good(path):
                raise Refused(otherwise)
        except RuntimeError:
            raise Refused("nobody knows that home folder") from None
        except OSError as error:  # a name too long
            raise Refused(f"{error.strerror}; expected {expected}") from None
        return path

    return Reader(
        expected=expected,
        from_text=lambda value: read(value, Path()),
        from_toml=lambda value, folder: read(of_kind(str, value), folder),
    )


def at_home(name: str, default: Path) -> Path:
    """Return a setting's default in the user's home, where it begins with `~`.

    Raises:
        ConfigError: The user has none.
    """
    try:
        return default.expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{name}={str(default)!r}: this user has no home folder; name another"
        ) from None


def folders() -> Reader[tuple[Path, ...]]:
    """Folders that are there."""
    return _several(folder(), f"folders with {os.pathsep!r} between", separator=os.pathsep)


def hosts() -> Reader[tuple[str, ...]]:
    """Host names, in small letters."""

    def read(value: str) -> str:
        host = value.lower()
        if not host.isascii():
            raise Refused(f"{value!r}: expected it as it is sent, beginning with xn--")
        return checked(host, _HOST.fullmatch(host) is not None)

    return _several(
        of_text("a host such as images.example", read),
        "hosts such as images.example, with commas between",
    )


def networks() -> Reader[tuple[Network, ...]]:
    """Ranges of addresses."""
    expected = "ranges such as 10.0.0.0/8, with commas between"
    return _several(of_text("a range such as 10.0.0.0/8", ipaddress.ip_network), expected)


def _several(part: Reader[T], expected: str, *, separator: str = ",") -> Reader[tuple[T, ...]]:
    """Several values: with a separator between in a variable, a list in TOML."""

    def from_text(value: str) -> tuple[T, ...]:
        parts = (text.strip() for text in value.split(separator))
        return tuple(part.from_text(text) for text in parts if text)

    def from_toml(value: object, folder: Path) -> tuple[T, ...]:
        try:
            return tuple(part.from_toml(entry, folder) for entry in of_kind(list, value))
        except Refused:
            raise
        except ValueError:
            raise Refused(f"expected a list, each {part.expected}") from None

    return Reader(expected=expected, from_text=from_text, from_toml=from_toml)
