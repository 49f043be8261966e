"""What `pip install .` installs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_weights_configurations_and_photos(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(_ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("label_studio_mfp-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "mfp_model/weights/lite2.safetensors",
        "mfp_model/weights/MODEL_CARD.md",
        "mfp_model/py.typed",
        "mfp_model/fine_tuning/general/annotations.json",
        "mfp_model/fine_tuning/general/images/cat.webp",
        "mfp_model/fine_tuning/templates/report.html",
        "backend/demo/photos/bowl.jpg",
        "backend/demo/photos/CREDITS.md",
        "backend/server/templates/status.html",
        "backend/recording/templates/sessions.html",
        "label_config/one_class.xml",
        "label_config/several_classes.xml",
    ):
        assert name in names
    assert not [name for name in names if name.startswith("tests/")]
