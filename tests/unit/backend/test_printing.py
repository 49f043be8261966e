"""What commands print."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from backend.cli import make_parser
from backend.commands import bench
from backend.commands.parsing import STDOUT, add_json, web_address
from backend.commands.printing import Problems, facts, show, table, value_text


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    lines = table(("name", "n", "share"), [("a", 1, 0.5), ("longer", 12345, None)])
    assert lines == [
        "name         n  share",
        "a            1  0.500",
        "longer  12,345      -",
    ]


def test_a_table_without_rows_has_its_head() -> None:
    assert table(("name", "n"), []) == ["name  n"]


def test_facts_have_their_values_in_one_column() -> None:
    assert facts({"n_objects": 3, "noc": 2.5, "done": True}) == [
        "objects  3",
        "noc      2.500",
        "done     yes",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (False, "no"),
        (1e6, "1000000.000"),
        ((1 / 3, None), "0.333, -"),
        ({"drafts": 1000, "relations": 2}, "drafts 1,000, relations 2"),
        ({}, "-"),
    ],
)
def test_values_are_shown_for_people(value: object, shown: str) -> None:
    assert value_text(value) == shown


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--json", "FILE"]])
def test_json_is_printed_or_written_or_neither(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_json(parser)
    file = tmp_path / "report.json"
    options = parser.parse_args([str(file) if a == "FILE" else a for a in arguments])
    show(options, {"n": 1}, ["one"])
    printed = capsys.readouterr().out
    assert printed == ('{"n": 1}\n' if arguments == ["--json"] else "one\n")
    assert file.exists() == (len(arguments) == 2)
    assert not file.exists() or json.loads(file.read_text()) == {"n": 1}


def test_the_first_problems_are_shown_once_each_and_the_others_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = Problems()
    assert problems.exit_code() == 0
    told = ["a", *(str(number) for number in range(25))]
    problems.tell("a", *told, n_others=100)
    assert problems.exit_code(advice="; --json names them") == 2
    assert problems.n == 126
    lines = capsys.readouterr().err.splitlines()
    assert lines == [*told[:20], "... and 106 more problems; --json names them"]
    show(argparse.Namespace(json=STDOUT, problems=problems), {"n": 1}, [])
    assert json.loads(capsys.readouterr().out) == {"n": 1, "messages": told}


@pytest.mark.parametrize(
    ("typed", "unused"),
    [
        ("--soak 1 --annotators 3", []),
        ("--soak 1 --segmenter unet --sizes 90x70", ["segmenter", "sizes"]),
        ("--faults --workers 2", ["workers"]),
        ("--network lite2 --objects 3 --sizes 90x70", ["objects"]),
        ("--segmenter graph-cut --constants {file} --objects 3", ["constants"]),
    ],
)
def test_the_bench_says_which_options_have_no_effect(
    typed: str, unused: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rgb.json"
    file.touch()
    options = make_parser().parse_typed(["bench", *typed.format(file=file).split()])
    bench.name_what_has_no_effect(options)
    notes = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in notes] == [f"--{name}" for name in unused]


def test_an_address_without_a_scheme_is_understood() -> None:
    assert web_address("127.0.0.1:9090") == "http://127.0.0.1:9090"
    assert web_address("https://mfp.example/below/") == "https://mfp.example/below"
    with pytest.raises(argparse.ArgumentTypeError, match="expected http"):
        web_address("ftp://mfp.example")
