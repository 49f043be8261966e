"""What sentences and tables of README and docs mention is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mfp_model
from backend.cli import make_parser
from backend.environment.table import FILE_VARIABLE, rows
from backend.server.advice import ADVICE
from backend.settings import Settings
from mfp_model.names import FINDERS, INPAINTERS, SEGMENTERS
from mfp_model.weights.downloads import WEIGHTS_SOURCES
from tests.unit.pages import (
    ROOT,
    all_parsers,
    anchors,
    blocks,
    check_mention,
    inline_code,
    links,
    name,
    pages,
    text_of,
)
from tests.unit.test_rooms import _BACKEND, _MODEL_FLOORS

_EVERY_PAGE = pytest.mark.parametrize("page", pages(), ids=name)
_DOCS = ROOT / "docs"


@_EVERY_PAGE
def test_commands_inside_sentences_are_understood(page: Path) -> None:
    for code in inline_code(page):
        if code.startswith("mfp "):
            check_mention(make_parser(), code.split()[1:])
        elif code.startswith("make "):
            target = code.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), code
        elif code.startswith("python -m "):
            module = ROOT / code.split()[2].replace(".", "/")
            assert module.with_suffix(".py").is_file() or module.is_dir(), code


@_EVERY_PAGE
def test_options_inside_sentences_are_options_of_some_command(page: Path) -> None:
    options = {o for parser in all_parsers(make_parser()) for o in parser._option_string_actions}
    for code in inline_code(page):
        if code.startswith("--"):
            assert code.split()[0] in options, code


@_EVERY_PAGE
def test_settings_that_are_mentioned_exist(page: Path) -> None:
    compose = "".join(path.read_text() for path in ROOT.glob("compose*.yaml"))
    variables = {FILE_VARIABLE, *(row.name for row in rows(Settings).values())}
    for variable in re.findall(r"\b(?:MFP|LABEL_STUDIO)_[A-Z_]+\b", page.read_text()):
        assert variable in variables or f"${{{variable}:" in compose, variable


@_EVERY_PAGE
def test_files_and_names_of_the_code_exist(page: Path) -> None:
    folders = ("backend/", "mfp_model/", "label_config/", "tests/", "docs/")
    for code in inline_code(page):
        if code.startswith(folders) and " " not in code:
            assert (ROOT / code).exists(), code
        elif re.fullmatch(r"(?:backend|mfp_model)\.[\w.:]+", code):
            assert _is_defined(code.replace(":", ".").split(".")), code


def _is_defined(parts: list[str]) -> bool:
    """Whether a dotted name is a module, or a function or class of one, without importing it."""
    module = ROOT.joinpath(*parts)
    if module.is_dir() or module.with_suffix(".py").is_file():
        return True
    file = ROOT.joinpath(*parts[:-1]).with_suffix(".py")
    defined = rf"^(?:def|class) {parts[-1]}\b"
    return file.is_file() and bool(re.search(defined, file.read_text(), flags=re.MULTILINE))


@_EVERY_PAGE
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_picture_is_shown() -> None:
    shown = {(page.parent / target).resolve() for page in pages() for target in links(page)}
    assert not set((_DOCS / "images").iterdir()) - shown


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="`make docs` installs it")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(_DOCS), str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


def test_the_glossary_has_every_word_of_the_code() -> None:
    glossary = (_DOCS / "glossary.md").read_text()
    words = re.findall(r"(?:^- |\. )([\w@ ]+):", mfp_model.__doc__ or "", flags=re.MULTILINE)
    assert len(words) > 30
    for word in words:
        assert re.search(rf"(?:\| |, |\*){re.escape(word)}\b", glossary), word


def test_troubleshooting_has_every_kind_of_error() -> None:
    section = (_DOCS / "connecting.md").read_text().partition("### By kind of error")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == set(ADVICE)


def test_label_configurations_and_their_attributes_are_complete() -> None:
    text = (_DOCS / "label-configurations.md").read_text()
    for file in (ROOT / "label_config").glob("*.xml"):
        assert f"[`{file.name}`]" in text, file.name
    choices = {"segmenter": SEGMENTERS, "finder": FINDERS, "inpainter": INPAINTERS}
    for attribute, values in choices.items():
        row = re.search(rf"^\| `{attribute}` \| (.*?) \|", text, flags=re.MULTILINE)
        assert row
        assert re.findall(r"`([\w-]+)`", row[1]) == list(values)


def test_metrics_that_are_mentioned_are_counted() -> None:
    files = ("monitoring/metrics.py", "learning/queue_figures.py", "server/process_figures.py")
    code = "".join((ROOT / "backend" / file).read_text() for file in files)
    for page in pages():
        for metric in re.findall(r"`(mfp_[a-z_]+)`", page.read_text()):
            assert f'"{metric.removesuffix("_total")}"' in code, metric


def test_the_table_of_published_weights_is_complete() -> None:
    text = (_DOCS / "weights.md").read_text()
    table = re.findall(r"^\| `([\w-]+)` \| \[([^]]+)\]\(([^)]+)\) \| (.*?) \|", text, re.MULTILINE)
    expected = [
        (
            name,
            source.file_name,
            source.url,
            f"`{source.sha256[:8]}…`" if source.sha256 else "not published",
        )
        for name, source in WEIGHTS_SOURCES.items()
    ]
    assert table == expected


def test_the_guide_for_contributors_has_the_rooms_that_the_code_keeps_to() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table: dict[str, set[str]] = {}
    for room, cell in re.findall(r"^\| `(\w+)` \| .*? \| ?(.*?) ?\|$", text, re.MULTILINE):
        everything = set(table) - {"server"} if cell.endswith("but server") else set(table)
        table[room] = everything if cell.startswith("all") else set(cell.split(", ")) - {""}
    assert table == {room: set(names.split()) for room, names in _BACKEND.items()}
    (floors,) = blocks(ROOT / "CONTRIBUTING.md", "text")
    assert [set(floor.split()) for floor in reversed(floors.splitlines())] == [
        set(floor.split()) for floor in _MODEL_FLOORS.split("|")
    ]


def test_pages_of_the_code_are_included_whole() -> None:
    for page in ("contributing", "changelog"):
        assert text_of(_DOCS / f"{page}.md").startswith("# ")
