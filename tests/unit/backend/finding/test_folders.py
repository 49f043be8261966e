"""Folders of photos in which every object is looked for."""

import errno
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.exchange.image_addresses import prefixed
from backend.exchange.importing import CocoImport
from backend.finding.each import here
from backend.finding.folder import annotate_folder, find_on
from backend.finding.folder_images import images_of
from backend.finding.project import AnnotateSummary, ObjectFinder
from backend.label_studio.label_config import TaskConfigs
from mfp_model.data.coco import read_coco
from mfp_model.errors import ConfigError, ImageError
from mfp_model.evaluation.datasets import coco_objects
from mfp_model.finding.layers import LayeredObject
from tests.unit.backend.finding.two_layers import CONFIG, two_layers


def _run(
    object_finder: ObjectFinder, photos: Path, out: Path, ticks: list[int] | None = None
) -> AnnotateSummary:
    reports = [] if ticks is None else ticks
    return annotate_folder(
        here(partial(find_on, object_finder)),
        photos,
        out,
        version=object_finder.version,
        label="Thing",
        max_megapixels=object_finder.max_megapixels,
        report=lambda: reports.append(1),
    )


class TestFolders:
    """`mfp annotate --folder`."""

    @pytest.fixture
    def photos(self, tmp_path: Path) -> Path:
        root = tmp_path / "photos"
        (root / "more").mkdir(parents=True)
        Image.new("RGB", (30, 20), "red").save(root / "a.png")
        Image.new("L", (1, 1)).save(root / "more" / "b.png")
        turned = Image.new("RGB", (30, 20), "red")
        exif = turned.getexif()
        exif[274] = 6
        turned.save(root / "c.jpg", exif=exif)
        (root / "d.jpg").write_bytes(b"no image")
        (root / "notes.txt").write_text("not an image")
        return root

    def _object_finder(self, seen: list[tuple[int, ...]], stop_at: int = 99) -> ObjectFinder:
        def find(image: NDArray[np.uint8]) -> list[LayeredObject]:
            if len(seen) == stop_at:
                raise KeyboardInterrupt
            seen.append(image.shape)
            return two_layers(image)

        return ObjectFinder(find=find, version="v-1", max_megapixels=1)

    def test_becomes_coco_that_other_commands_read(self, photos: Path, tmp_path: Path) -> None:
        ticks: list[int] = []
        summary = _run(self._object_finder([]), photos, tmp_path / "out", ticks)
        assert (summary.images, summary.objects, summary.hidden) == (3, 6, 3)
        assert len(ticks) == 4
        (problem,) = summary.problems
        assert problem.startswith("d.jpg")
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert names == {"annotations.json", "images", "annotate.json"}
        content = json.loads((tmp_path / "out" / "annotations.json").read_text())
        assert [c["name"] for c in content["categories"]] == ["Thing", "cat"]
        sizes = {row["file_name"]: (row["width"], row["height"]) for row in content["images"]}
        assert sizes == {"1-a.png": (30, 20), "2-c.png": (20, 30), "4-b.png": (1, 1)}
        assert len(list(coco_objects(tmp_path / "out"))) == 6
        config = TaskConfigs(CONFIG.format(kind="BrushLabels", finder="mfp"))
        importer = CocoImport(read_coco(tmp_path / "out"), config, form="predictions", strict=True)
        importer.into_file(tmp_path / "tasks.json", prefixed("/data/x/"), report=lambda: None)
        tasks = json.loads((tmp_path / "tasks.json").read_text())
        rows = tasks[0]["predictions"][0]["result"]
        assert [row.get("meta") for row in rows] == [
            None,
            {"text": ["hidden: seen after 2 removals"]},
        ]

    def test_one_that_was_cut_goes_on(self, photos: Path, tmp_path: Path) -> None:
        seen: list[tuple[int, ...]] = []
        with pytest.raises(KeyboardInterrupt):
            _run(self._object_finder(seen, stop_at=2), photos, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        summary = _run(self._object_finder(seen), photos, tmp_path / "out")
        assert len(seen) == 3
        assert (summary.images, summary.skipped) == (1, 2)
        assert len(summary.problems) == 1  # looked at again

    def test_photos_that_come_and_go_cost_only_themselves(
        self, photos: Path, tmp_path: Path
    ) -> None:
        seen: list[tuple[int, ...]] = []
        with pytest.raises(KeyboardInterrupt):
            _run(self._object_finder(seen, stop_at=2), photos, tmp_path / "out")
        (photos / "c.jpg").unlink()
        Image.new("RGB", (30, 20), "blue").save(photos / "0.png")
        gone = Path(os.fsdecode(os.fsencode(photos) + b"/z\xff.png"))  # no text, as of old disks
        Image.new("RGB", (9, 9)).save(gone)

        def find(image: NDArray[np.uint8]) -> list[LayeredObject]:
            gone.unlink(missing_ok=True)  # after it was listed
            return two_layers(image)

        summary = _run(replace(self._object_finder([]), find=find), photos, tmp_path / "out")
        assert (summary.images, summary.skipped) == (2, 1)
        names = [problem.partition(":")[0] for problem in summary.problems]
        assert names == ["d.jpg", "z\\udcff.png"]
        copied = {path.name for path in (tmp_path / "out" / "images").iterdir()}
        assert copied == {"1-a.png", "2-0.png", "4-b.png"}

    def test_what_it_writes_beside_the_photos_is_none_of_them(self, photos: Path) -> None:
        seen: list[tuple[int, ...]] = []
        out = photos / "found"
        with pytest.raises(KeyboardInterrupt):
            _run(self._object_finder(seen, stop_at=2), photos, out)
        summary = _run(self._object_finder(seen), photos, out)
        assert (len(seen), summary.images, summary.skipped) == (3, 1, 2)
        assert _run(self._object_finder(seen), photos, out).images == 3

    def test_other_folders_are_left_alone(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="exists"):
            _run(self._object_finder([]), tmp_path / "photos", photos)
        (tmp_path / "none").mkdir()
        with pytest.raises(ImageError, match="no image"):
            images_of(tmp_path / "none", tmp_path / "out")

    def test_one_that_cannot_be_read_is_not_taken_for_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            images_of(tmp_path / "gone", tmp_path / "out")

    def test_a_folder_in_it_that_cannot_be_read_is_named(
        self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, scan, problems = images_of(photos, tmp_path / "out"), os.scandir, list[str]()
        (photos / "inner").mkdir()
        (photos / ".hidden").mkdir()

        def refused(path: str) -> object:
            if Path(path).name in ("inner", ".hidden"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return scan(path)

        monkeypatch.setattr(os, "scandir", refused)
        assert images_of(photos, tmp_path / "out", on_problem=problems.append) == before
        assert problems == [f"{photos / 'inner'}: Permission denied"]
