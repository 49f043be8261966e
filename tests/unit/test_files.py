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
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 60, node.name


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
