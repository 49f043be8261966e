"""How commands are declared, and how what was typed is checked before anything is loaded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from backend.environment.reader import Reader, Refused
from backend.environment.readers import count, new_file, site
from mfp_model.errors import ConfigError, PromptError
from mfp_model.names import listed
from mfp_model.prompts import Box, Click, parse_box, parse_click

T = TypeVar("T")
STDOUT = Path("-")

Run = Callable[[argparse.Namespace], int | None]
_WIDTH = 80


class UsageError(ConfigError):
    """Something was typed that the command does not know, or cannot use.

    Attributes:
        command: The command, such as `mfp segment`.
    """

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command


class CommandParser(argparse.ArgumentParser):
    """A parser whose mistakes are errors like all others: one line, exit code 1."""

    def error(self, message: str) -> NoReturn:
        """Refuse what was typed."""
        raise UsageError(self.prog, f"{message}; see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401, as there
        """Name no hidden command where a wrong one is typed."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            names = ", ".join(choice.dest for choice in action._choices_actions)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {names})")
        super()._check_value(action, value)

    def parse_typed(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Return what was typed; an option that is not known is refused by its command."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options


class _HelpText(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        columns = int(os.get_terminal_size().columns) if os.isatty(1) else _WIDTH
        super().__init__(prog, width=min(_WIDTH, columns) - 1, max_help_position=28)

    def _get_help_string(self, action: argparse.Action) -> str:
        """What an argument is, and its value where none is typed."""
        words, default = action.help or "", action.default
        is_shown = isinstance(default, str | int | float) and not isinstance(default, bool)
        if not is_shown or default in ("", argparse.SUPPRESS):
            return words
        shown = f"{default:g}" if isinstance(default, float) else default
        return f"{words}; default: {shown}"


@dataclass(frozen=True, slots=True)
class Commands:
    """Where commands are added."""

    _action: Any  # argparse's own type is private

    @staticmethod
    def of(parser: argparse.ArgumentParser) -> Commands:
        """Let a parser have commands; without one of them it prints its help."""
        parser.set_defaults(run=None, parser=parser)
        return Commands(parser.add_subparsers(metavar="COMMAND", title="commands"))

    def add(
        self,
        name: str,
        sentence: str,
        run: Run,
        *,
        is_hidden: bool = False,
        goes_on: bool = False,
    ) -> argparse.ArgumentParser:
        """Return the parser of a new command.

        Args:
            name: What is typed.
            sentence: What it does.
            run: Does it, and returns the exit code; None for 0.
            is_hidden: Whether help texts leave it out.
            goes_on: Whether the same command goes on where it was stopped.
        """
        parser = self._parser(name, sentence, is_hidden=is_hidden)
        parser.set_defaults(run=run, parser=parser, goes_on=goes_on)
        return parser

    def group(self, name: str, sentence: str) -> Commands:
        """Return where the commands of a new group are added."""
        return Commands.of(self._parser(name, sentence))

    def _parser(
        self, name: str, sentence: str, *, is_hidden: bool = False
    ) -> argparse.ArgumentParser:
        words = {"description": f"{sentence[0].upper()}{sentence[1:]}."}
        if not is_hidden:
            words["help"] = sentence
        made: argparse.ArgumentParser = self._action.add_parser(
            name, formatter_class=_HelpText, **words
        )
        return made


def root_parser(sentence: str) -> CommandParser:
    """Return the parser of `mfp` itself."""
    return CommandParser(prog="mfp", description=sentence, formatter_class=_HelpText)


def of(reader: Reader[T]) -> Callable[[str], T]:
    """Return what reads an argument as a setting of that kind is read."""

    def read(text: str) -> T:
        try:
            return reader.from_text(text)
        except ValueError as error:
            reason = error if isinstance(error, Refused) else f"expected {reader.expected}"
            raise argparse.ArgumentTypeError(f"{text!r}: {reason}") from None

    return read


def auto_or_count() -> Reader[int]:
    """A whole number of at least 1; 0 stands for `auto`."""
    number = count(low=1)
    return Reader(
        expected=f"auto or {number.expected}",
        from_text=lambda text: 0 if text == "auto" else number.from_text(text),
        from_toml=number.from_toml,
    )


def click(text: str) -> Click:
    """Return the click that `X,Y,+` or `X,Y,-` describes."""
    return _prompt(parse_click, text)


def box(text: str) -> Box:
    """Return the box between the corners of `X,Y,X,Y`."""
    return _prompt(parse_box, text)


def _prompt(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except PromptError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def web_address(text: str) -> str:
    """Return a backend's address; `127.0.0.1:9090` stands for `http://127.0.0.1:9090`.

    It may hold user and password, which Label Studio sends with webhooks, too.
    """
    return of(site(may_have_user=True))(text if "://" in text else f"http://{text}")


def add_count(
    parser: argparse.ArgumentParser,
    option: str,
    words: str,
    *,
    low: int = 1,
    default: int | None = None,
) -> None:
    """Add an option that takes a whole number.

    Args:
        parser: The command's.
        option: What is typed, such as `--limit`.
        words: What the number is.
        low: The least one.
        default: The number where none is typed.
    """
    parser.add_argument(option, type=of(count(low=low)), default=default, metavar="N", help=words)


def add_choice(
    parser: argparse._ActionsContainer,
    option: str,
    names: tuple[str, ...] | dict[str, str],
    words: str = "{}",
    *,
    default: str | None = None,
    required: bool = False,
) -> None:
    """Add an option that takes one of some names.

    Args:
        parser: The command's.
        option: What is typed, such as `--finder`.
        names: They.
        words: What is chosen; `{}` stands for the names.
        default: The name where none is typed.
        required: Whether one must be typed.
    """
    parser.add_argument(
        option,
        choices=tuple(names),
        default=default,
        required=required,
        metavar="NAME",
        help=words.format(listed(names)),
    )


def add_json(parser: argparse.ArgumentParser, *, takes_file: bool = True) -> None:
    """Add `--json`.

    Args:
        parser: The command's.
        takes_file: Whether a file may be named. Not where the command has arguments without a
            name: one of them would be taken for it, and overwritten.
    """
    if takes_file:
        parser.add_argument(
            "--json",
            nargs="?",
            type=of(new_file()),
            const=STDOUT,
            metavar="FILE",
            help="print JSON, or write it into FILE",
        )
    else:
        parser.add_argument("--json", action="store_const", const=STDOUT, help="print JSON")
