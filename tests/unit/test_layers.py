"""Who may import whom, read off the syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LAYERS = (
    ("errors", "names"),
    ("prompts", "files", "image_cache"),
    ("masks",),
    ("frames", "data"),
    ("networks",),
    ("engines",),
    ("weights",),
    ("checkpoints",),
    ("graph_cut",),
    ("prediction", "training"),
    ("segmenter",),
    ("finding",),
    ("segmenters",),
    ("loading", "evaluation"),
    ("fine_tuning",),
)
_RANK = {name: rank for rank, names in enumerate(_LAYERS) for name in names}


def _modules(package: str) -> list[Path]:
    return sorted((_ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _layer(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", _modules("mfp_model"), ids=lambda p: str(p.relative_to(_ROOT)))
def test_the_model_knows_no_server_and_no_layer_above(path: Path) -> None:
    relative = path.relative_to(_ROOT / "mfp_model")
    layer = relative.parts[0].removesuffix(".py")
    for name in _imports(path):
        assert name.split(".")[0] not in {"backend", "flask", "requests", "os.environ"}, name
        if layer != "__init__" and name.startswith("mfp_model."):
            other = _layer(name)
            assert other == layer or _RANK[other] <= _RANK[layer], f"{layer} imports {other}"
            assert {layer, other} != {"training", "evaluation"}


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


def test_importing_the_model_loads_neither_torch_nor_opencv() -> None:
    heavy = "{'torch', 'cv2', 'numpy'}"
    code = f"import sys, mfp_model; mfp_model.Click; print({heavy} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert printed.stdout.strip() == "set()"
