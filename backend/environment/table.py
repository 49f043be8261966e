"""A table of settings as the fields of a dataclass, and their values from variables and a file."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from backend.environment.reader import Reader, Refused
from mfp_model.errors import ConfigError

T = TypeVar("T")
PREFIX = "MFP_"
FILE_VARIABLE = "MFP_CONFIG"
_SHOWN_LETTERS = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table.

    Attributes:
        name: The variable.
        default: The value where none is given.
        reader: What it may be.
        sentence: What it does.
        default_in_words: The default, where the value does not say it.
    """

    name: str
    default: object
    reader: Reader[object]
    sentence: str
    default_in_words: str

    @property
    def key(self) -> str:
        """Its key in the file."""
        return key_of(self.name)

    def from_text(self, value: str) -> object:
        """Return the value of a variable.

        Raises:
            ConfigError: It cannot be read, is outside its range, or names no file.
        """
        try:
            return self.reader.from_text(value)
        except ValueError as error:
            raise self._refused(f"{self.name}={self._shown(value)}", error) from None

    def from_toml(self, value: object, path: Path) -> object:
        """Return the value of a file's key; raises like `from_text`."""
        try:
            return self.reader.from_toml(value, path.parent)
        except ValueError as error:
            raise self._refused(f"{path}: {self.key} = {self._shown(value)}", error) from None

    def _shown(self, value: object) -> str:
        shown = re.sub(r"//.*@", "//…@", repr(value))  # without a password of an address
        return "…" if self.reader.is_secret else shown[:_SHOWN_LETTERS]

    def _refused(self, what: str, error: ValueError) -> ConfigError:
        reason = error if isinstance(error, Refused) else f"expected {self.reader.expected}"
        return ConfigError(f"{what}: {reason}")


def setting(
    name: str, default: T, reader: Reader[T], sentence: str, *, default_in_words: str = ""
) -> T:
    """Return a field of the table, see `Setting`, typed as its values are."""
    row = Setting(
        name=name,
        default=default,
        reader=reader,
        sentence=sentence,
        default_in_words=default_in_words,
    )
    return field(default_factory=lambda: default, metadata={"setting": row})


def key_of(name: str) -> str:
    """Return the key that a variable has in the file: `max_waiting` for `MFP_MAX_WAITING`."""
    return name.removeprefix(PREFIX).lower()


def rows(table: type[Any]) -> dict[str, Setting]:
    """Return a table's rows by their variables."""
    return {row.name: row for _, row in _entries(table)}


def _entries(table: type[Any]) -> list[tuple[str, Setting]]:
    return [(entry.name, entry.metadata["setting"]) for entry in dataclasses.fields(table)]


def read_values(
    table: type[Any], environ: Mapping[str, str], *, gone: Mapping[str, str]
) -> dict[str, Any]:
    """Return the values that are given, by field; those of variables win over the file's.

    A variable that is empty is not given. One that is only like a setting's gets a warning.

    Args:
        table: A dataclass of `setting`s.
        environ: The variables; `MFP_CONFIG` names the file, if there is one.
        gone: Names that are settings no more, and what to do instead.

    Raises:
        ConfigError: A value, key or file that cannot be read, or a setting that is gone.
    """
    file = environ.get(FILE_VARIABLE, "").strip()
    values = _from_file(table, Path(file), gone) if file else {}
    texts = {name: text.strip() for name, text in environ.items() if text.strip()}
    for name, instead in gone.items():
        if name in texts:
            raise ConfigError(f"{name} is gone: {instead}")
    rows_by_name = {row.name: (entry, row) for entry, row in _entries(table)}
    for name, text in texts.items():
        if name in rows_by_name:
            entry, row = rows_by_name[name]
            values[entry] = row.from_text(text)
        elif name.startswith(PREFIX) and (hint := _hint(name, rows_by_name)):
            _log.warning("%s: no such setting%s", name, hint)
    return values


def _from_file(table: type[Any], path: Path, gone: Mapping[str, str]) -> dict[str, Any]:
    try:
        path = path.expanduser()
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RuntimeError) as error:
        is_home = isinstance(error, RuntimeError) and not isinstance(error, RecursionError)
        reason = "nobody knows that home folder" if is_home else getattr(error, "strerror", error)
        raise ConfigError(
            f"{FILE_VARIABLE}={str(path)!r}: expected a TOML file ({reason})"
        ) from None
    instead = {key_of(name): sentence for name, sentence in gone.items()}
    rows_by_key = {row.key: (entry, row) for entry, row in _entries(table)}
    values = {}
    for key, value in content.items():
        if key in instead:
            raise ConfigError(f"{path}: {key} is gone: {instead[key]}")
        if key not in rows_by_key:
            raise ConfigError(f"{path}: {key}: no such setting{_hint(key, rows_by_key)}")
        entry, row = rows_by_key[key]
        values[entry] = row.from_toml(value, path)
    return values


def _hint(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""
