"""The reference pages say what the code does."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from backend.cli import make_parser
from backend.environment.gone import GONE
from backend.environment.table import rows
from backend.reference import PAGES, command_parsers, main
from backend.settings import Settings

_FOLDER = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_committed_page_is_the_generated_one(name: str) -> None:
    page = (_FOLDER / f"{name}.md").read_text()
    assert page == PAGES[name](), (
        f"run: python -m backend.reference {name} --out docs/reference/{name}.md"
    )


def test_every_setting_is_on_its_page_with_a_sentence() -> None:
    page = PAGES["settings"]()
    for name, row in rows(Settings).items():
        assert f"| `{name}` |" in page
        assert row.sentence.endswith(".")
    for name in GONE:
        assert f"| `{name}` |" in page


def test_every_command_but_the_hidden_one_is_on_its_page() -> None:
    names = [parser.prog for parser in command_parsers(make_parser())]
    assert "mfp evaluate clicks" in names
    assert "mfp work" not in names
    page = PAGES["cli"]()
    assert all(f"## {name}\n" in page for name in names)


def test_every_option_says_what_it_is() -> None:
    for parser in command_parsers(make_parser()):
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, (parser.prog, action.dest)


def test_help_texts_fit_into_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for parser in command_parsers(make_parser()):
        parser.print_help()
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_page_is_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert main(["settings", "--out", str(tmp_path / "settings.md")]) == 0
    assert (tmp_path / "settings.md").read_text() == printed
