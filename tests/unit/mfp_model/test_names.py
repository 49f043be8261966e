"""Names and what they stand for, which lies in rooms that load torch."""

from __future__ import annotations

import ast
from pathlib import Path

from mfp_model import names
from mfp_model.evaluation.datasets import READERS
from mfp_model.networks.backbones import ARCHITECTURES
from mfp_model.training.presets import RUNS


def test_every_name_stands_for_something_and_nothing_is_nameless() -> None:
    assert set(names.FORMATS) == set(READERS)
    assert set(names.BACKBONES) == set(ARCHITECTURES)
    assert set(names.PRESETS) == set(RUNS)
    assert set(names.INPAINTERS_WITH_WEIGHTS) <= set(names.INPAINTERS)


def test_names_import_nothing() -> None:
    tree = ast.parse(Path(names.__file__).read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["from __future__ import annotations"]


def test_names_are_listed_as_in_a_sentence() -> None:
    assert names.listed(("rgb", "deep", "both")) == "rgb, deep or both"
    assert names.listed(("mfp",)) == "mfp"
