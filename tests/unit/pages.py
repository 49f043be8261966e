"""README, the guides beside it and the pages of docs/, as far as tests read them."""

from __future__ import annotations

import argparse
import re
import string
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
_INCLUDE = re.compile(r"^```\{include\} (\S+)\n.*?^```$", flags=re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """All pages that people write; those under docs/reference are made from the code."""
    written = (p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "reference")
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(written)]


def name(page: Path) -> str:
    """The page's path from the root."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """The page's text, with what it includes in place."""
    text = page.read_text()
    return _INCLUDE.sub(lambda match: (page.parent / match[1]).read_text(), text)


def blocks(page: Path, language: str) -> list[str]:
    """The contents of the page's fenced blocks of a language."""
    return [content for _, kind, content in _FENCE.findall(page.read_text()) if kind == language]


def commands() -> list[str]:
    """Every line of every shell block, without its comment, each once."""
    lines = (line for page in pages() for block in blocks(page, "sh") for line in block.split("\n"))
    stripped = (line.partition("#")[0].strip() for line in lines)
    return list(dict.fromkeys(line for line in stripped if line))


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in the page's sentences and tables."""
    prose = _FENCE.sub("", page.read_text())
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def links(page: Path) -> list[str]:
    """Targets of the page's links and pictures that are no web addresses."""
    prose = _FENCE.sub("", page.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not target.startswith(("https://", "http://"))]


def anchors(page: Path) -> set[str]:
    """What may stand behind # in a link to the page, as GitHub and Sphinx make it of headings."""
    prose = _FENCE.sub("", text_of(page))
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    dropped = str.maketrans("", "", string.punctuation.replace("-", "").replace("_", ""))
    return {heading.lower().translate(dropped).replace(" ", "-") for heading in headings}


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below a command, by name."""
    groups = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: command for group in groups for name, command in group.choices.items()}


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of all commands below it."""
    yield parser
    for command in subcommands(parser).values():
        yield from all_parsers(command)


def check_mention(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """Check a command that a sentence mentions, complete or not: its names and its values."""
    while subcommands(parser) and words and not words[0].startswith("-"):
        assert words[0] in subcommands(parser), f"{parser.prog} has no command {words[0]!r}"
        parser, words = subcommands(parser)[words[0]], words[1:]
    for word, value in pairwise([*words, ""]):
        if word.startswith("--"):
            action = parser._option_string_actions.get(word)
            assert action is not None, f"{parser.prog} has no option {word}"
            is_example = not value or value.startswith("-") or value.isupper() or value == "…"
            if action.choices and not is_example:
                assert value in action.choices, f"{parser.prog} {word} {value}"
