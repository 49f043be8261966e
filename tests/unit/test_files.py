"""Files and functions stay small, only settings read the environment, imports stay cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def _modules(package: str) -> list[Path]:
    return sorted((_ROOT / package).rglob("*.py"))


@pytest.mark.parametrize(
    "path", [*_modules("mfp_model"), *_modules("backend")], ids=lambda p: str(p.relative_to(_ROOT))
)
def test_only_settings_and_entry_points_read_the_environment(path: Path) -> None:
    entries = {"settings.py", "cli.py", "wsgi.py", "serve.py", "processes.py"}
    entries |= {"label_studio_ml.py"}
    if path.name not in entries:
        assert not re.search(r"os\.environ|getenv", path.read_text())


@pytest.mark.parametrize(
    "path", [*_modules("mfp_model"), *_modules("backend")], ids=lambda p: str(p.relative_to(_ROOT))
)
def test_files_stay_readable(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= 250
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _n_body_lines(node) <= 40, node.name


def _n_body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines below the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize(
    ("text", "n_lines"),
    [
        ("def f(): return 1", 1),
        ("def f(\n    x,\n):\n    return x", 1),
        ('def f():\n    """Say.\n\n    More.\n    """', 0),
        ('def f():\n    """Say."""\n    if f:\n        return 1\n\n    return 2', 4),
    ],
)
def test_lines_are_counted_below_signature_and_docstring(text: str, n_lines: int) -> None:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert _n_body_lines(function) == n_lines


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import mfp_model; mfp_model.Click", "{'torch', 'cv2', 'numpy'}"),
        ("import mfp_model.names, backend.cli", "{'torch', 'cv2', 'numpy'}"),
        ("import mfp_model.loading, backend.server.service", "{'torch'}"),
    ],
)
def test_imports_load_nothing_heavy_before_it_is_used(statement: str, heavy: str) -> None:
    code = f"import sys; {statement}; print({heavy} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert printed.stdout.strip() == "set()"
