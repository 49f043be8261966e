"""The file that `--label-config` names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image"><Label value="Käfer"/></BrushLabels></View>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_it_is_utf_8_whatever_the_locale(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "config.xml").write_text(_CONFIG, encoding=encoding)
    (tmp_path / "tasks.json").write_text("[]", encoding="utf-8")
    command = "-X utf8=0 -m backend.cli coco export --export tasks.json --label-config config.xml"
    ended = subprocess.run(
        [sys.executable, *command.split(), "--out", "out"],
        cwd=tmp_path,
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "cannot be read" not in ended.stderr
