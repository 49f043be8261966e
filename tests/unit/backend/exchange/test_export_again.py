"""Exports that were cut, and folders that are there already."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.exchange.entries import ExportOptions
from mfp_model.errors import ConfigError, DataError
from tests.unit.backend.exchange.labeled import (
    RING,
    export,
    row,
    task,
    write_tasks,
)


def test_something_else_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        export(tmp_path, [task(1, [row(RING)])])
    assert (tmp_path / "coco" / "thesis.txt").read_text() == "mine"


_ENDLESS = """
import os, signal, sys
from pathlib import Path
from tests.unit.backend.exchange.labeled import Files, CONFIG, png
from backend.exchange.export import export_coco
from backend.exchange.tasks import TaskSource, file_tasks, labeled_task
folder, n_before = Path(sys.argv[1]), int(sys.argv[2])
class Killing(Files):
    def read(self, address, task_id):
        if len(self.asked) == n_before:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(address, task_id)
files = Killing({f"/data/upload/1/{n}.png": png(40, 30) for n in range(9)})
export_coco(file_tasks(folder / "tasks.json"), folder / "coco", config=CONFIG, sources=files)
print(len(files.asked))
"""


@pytest.mark.slow
def test_an_export_that_was_killed_goes_on_and_shows_nothing_before_it_is_whole(
    tmp_path: Path,
) -> None:
    write_tasks(tmp_path / "tasks.json", [task(n, [row(RING)]) for n in range(9)])
    command = [sys.executable, "-c", _ENDLESS, str(tmp_path)]
    root = Path(__file__).parents[4]
    killed = subprocess.run([*command, "5"], cwd=root, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "coco").exists()
    done = subprocess.run([*command, "99"], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "4"
    content = json.loads((tmp_path / "coco" / "annotations.json").read_text())
    assert [annotation["image_id"] for annotation in content["annotations"]] == list(range(9))
    assert sorted(os.listdir(tmp_path)) == ["coco", "tasks.json"]


def test_nothing_of_how_it_was_made_is_in_the_folder(tmp_path: Path) -> None:
    export(tmp_path, [task(1, [row(RING)])])
    made = {"annotations.json", "export.json", "images"}
    assert {path.name for path in (tmp_path / "coco").iterdir()} == made


def test_other_options_begin_a_new_export(tmp_path: Path) -> None:
    tasks = [task(1, [row(RING)]), task(2, [row(RING, "Unicorn")])]
    strict = ExportOptions(strict=True)
    with pytest.raises(DataError, match="Unicorn"):
        export(tmp_path, tasks, options=strict)
    content, _ = export(tmp_path, tasks, options=replace(strict, strict=False))
    assert len(content["annotations"]) == 1
