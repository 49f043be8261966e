"""The reference pages of the documentation: `python -m backend.reference settings` prints one.

They are made of the code, so that they say what it does. A test compares them with the files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from backend.cli import make_parser
from backend.environment.gone import GONE
from backend.environment.table import FILE_VARIABLE, Setting, rows
from backend.settings import Settings

_GENERATED = "<!-- Made by `python -m backend.reference {}`; change the code, not this page. -->"
_SETTINGS = f"""\
{_GENERATED.format("settings")}

# Settings

The server and the command `mfp` read variables of the environment. A value that cannot be used is
an error at the start that names it. An empty variable counts as not set.

The variable `{FILE_VARIABLE}` may name a TOML file with the same settings. There a setting has the
variable's name in small letters and without `MFP_`, numbers and switches are TOML's own, several
values are a list, and paths are relative to the file's folder. Variables win over the file.

```toml
label_studio_url = "https://labels.example"
max_waiting = 16
image_hosts = ["images.example", "*.images.example"]

[segmenter]        # by the project's number
default = "mfp"
7 = "unet"
```

| variable | what it does | default | expected |
|---|---|---|---|
"""
_COMMANDS = f"""\
{_GENERATED.format("cli")}

# Command line

`mfp --help` and `mfp COMMAND --help` print what is below, too. Exit codes are 0, 1 for a mistake or
failure, with a line on standard error that says which, and 2 where some of many items could not be
processed, or a fine-tuned version is not better. The first 20 of them are named. Ctrl-C gives 130,
and 141 an output that nobody reads on.
Figures are printed for people; with `--json` they are JSON for programs, and `messages` in it names
what could not be processed. Commands that ask Label Studio take its address and token from the
settings `LABEL_STUDIO_URL` and `LABEL_STUDIO_API_KEY`.

"""
_GONE = """
## Settings that are gone

One of these is an error that says what to do instead.

| variable | instead |
|---|---|
"""


def settings_page() -> str:
    """Return the page of the settings, Markdown."""
    table = "".join(_row(row) for row in rows(Settings).values())
    gone = "".join(f"| `{name}` | {_cell(instead)} |\n" for name, instead in GONE.items())
    return _SETTINGS + table + _GONE + gone


def cli_page() -> str:
    """Return the page of the commands, Markdown."""
    return _COMMANDS + "\n".join(_section(parser) for parser in command_parsers(make_parser()))


PAGES = {"settings": settings_page, "cli": cli_page}


def command_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of its commands that are not hidden."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            shown = {choice.dest for choice in action._choices_actions}
            for name, command in action.choices.items():
                if name in shown:
                    yield from command_parsers(command)


def _section(parser: argparse.ArgumentParser) -> str:
    """A command's heading, sentence, and table of arguments; the same in every Python."""
    lines = [f"## {parser.prog}", "", parser.description or "", ""]
    commands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for action in commands:
        lines += ["| command | what it does |", "|---|---|"]
        lines += [
            f"| `{parser.prog} {choice.dest}` | {_cell(str(choice.help))} |"
            for choice in action._choices_actions
        ]
    arguments = [a for a in parser._actions if a not in commands and a.dest != "help"]
    if arguments and not commands:
        lines += ["| argument | what it is |", "|---|---|"]
        formatter = parser._get_formatter()
        lines += [_argument(action, formatter._expand_help(action)) for action in arguments]
    return "\n".join(lines) + "\n"


def _argument(action: argparse.Action, words: str) -> str:
    value = action.metavar or action.dest.upper()
    takes_value = action.nargs != 0
    shown = f"[{value}]" if action.nargs == "?" else str(value)
    parts = [*action.option_strings[:1], *([shown] if takes_value else [])]
    needed = " (needed)" if action.required and action.option_strings else ""
    return f"| `{_cell(' '.join(parts))}`{needed} | {_cell(words)} |"


def _row(row: Setting) -> str:
    default = row.default_in_words
    if not default and row.default not in ("", None, ()):
        is_switch = isinstance(row.default, bool)
        default = f"`{str(row.default).lower() if is_switch else _short(row.default)}`"
    cells = (f"`{row.name}`", row.sentence, default, row.reader.expected)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |\n"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace(" <= ", " ≤ ")


def main(arguments: list[str]) -> int:
    """Print or write the pages that are named, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backend.reference")
    parser.add_argument("page", choices=PAGES)
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="default: print it")
    options = parser.parse_args(arguments)
    page = PAGES[options.page]()
    if options.out:
        options.out.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
