"""What commands print: tables for people, JSON for programs, notes and problems beside them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.commands.parsing import STDOUT
from mfp_model.files import write_atomically

GOES_ON = "stopped; the same command goes on from there"
_PROBLEMS_CODE = 2  # done, but not all of it
_SHOWN_PROBLEMS = 20


def show(options: argparse.Namespace, report: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Print lines for people, or JSON where `--json` asks for it.

    Args:
        options: Those of a command with `--json`.
        report: What JSON has; its `messages` are the problems that were told so far.
        lines: What people read.
    """
    problems = vars(options).get("problems")
    if problems is not None and problems.messages:
        report = {**report, "messages": problems.messages}
    if options.json == STDOUT:
        print(json.dumps(report))
        return
    if options.json is not None:
        write_file(options.json, json.dumps(report).encode())
    print("\n".join(lines))


def facts(report: Mapping[str, object]) -> list[str]:
    """Return a line for each entry, names in one column and values in the other."""
    width = max((len(_words(name)) for name in report), default=0)
    return [f"{_words(name):<{width}}  {value_text(value)}" for name, value in report.items()]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table with a line for each row, numbers to the right."""
    cells = [list(columns), *([value_text(value) for value in row] for row in rows)]
    is_number = [
        all(_is_number(cell) for cell in column) for column in zip(*cells[1:], strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        parts = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number or [False] * len(row), strict=True)
        )
        lines.append("  ".join(parts).rstrip())
    return lines


def value_text(value: object) -> str:
    """Return a value as people read it: three decimals, thousands apart, yes and no."""
    if isinstance(value, Mapping):
        value = [f"{name} {value_text(each)}" for name, each in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "-"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def note(message: str) -> None:
    """Say something on standard error that should not go unseen, and is no failure."""
    print(f"note: {message}", file=sys.stderr)


def note_unused(options: argparse.Namespace, reason: str, *names: str) -> None:
    """Say of each of some options that it was given for nothing, where it is not as usual."""
    for name in names:
        if getattr(options, name) != options.parser.get_default(name):
            note(f"--{name.replace('_', '-')} has no effect: {reason}")


def note_replaced(path: Path) -> None:
    """Say that a file, or a folder with something in it, will be replaced."""
    if any(path.iterdir()) if path.is_dir() else path.exists():
        note(f"{path} was there already, and is replaced")


def write_file(path: Path, content: bytes) -> None:
    """Write a file that was asked for, and say so where it replaces another."""
    note_replaced(path)
    write_atomically(path, content)


class Problems:
    """Told of what a command leaves out: shows the first ones at once, each once."""

    def __init__(self) -> None:
        self._messages: dict[str, None] = {}  # in order
        self._n_others = 0

    def tell(self, *messages: str, n_others: int = 0) -> None:
        """Show problems, unless they were told before or there are too many.

        Args:
            messages: What is shown.
            n_others: How many more there are, of which nothing is said.
        """
        for message in messages:
            if message not in self._messages and len(self._messages) < _SHOWN_PROBLEMS:
                print(message, file=sys.stderr)
            self._messages[message] = None
        self._n_others += n_others

    @property
    def n(self) -> int:
        """How many there are so far."""
        return len(self._messages) + self._n_others

    @property
    def messages(self) -> list[str]:
        """What was told so far, each once; not those of which nothing is said."""
        return list(self._messages)

    def exit_code(self, *, advice: str = "") -> int:
        """Say how many more there were, and return the exit code that follows from them.

        Args:
            advice: Where they are named.
        """
        n_more = max(0, len(self._messages) - _SHOWN_PROBLEMS) + self._n_others
        if n_more:
            print(f"... and {n_more} more problems{advice}", file=sys.stderr)
        return _PROBLEMS_CODE if self.n else 0


def _words(name: str) -> str:
    return name.removeprefix("n_").replace("_", " ")


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "").lstrip("-").isdecimal()
