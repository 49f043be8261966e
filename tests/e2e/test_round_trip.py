"""COCO folders -> the real Label Studio -> COCO again, read by COCO's tools."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from backend.cli import main
from backend.demo.processes import TOKEN, Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import encode
from mfp_model.data.coco import read_coco
from mfp_model.data.orientation import turned
from tests.e2e.label_studio_calls import add_annotation, change_annotation, delete_task, tasks_of

pytestmark = pytest.mark.browser

_SIZE = (30, 40)
_N_IMAGES = 4
_TURNED = 1  # the image whose file says how to turn it
_ORIENTATION = 6
_CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="organs" toName="image"><Label value="Liver"/><Label value="Lung"/></BrushLabels>
<BrushLabels name="tumors" toName="image"><Label value="Tumor"/></BrushLabels></View>"""
_LABELS = ("Liver", "Lung", "Tumor")

Masks = dict[tuple[str, str, int], list[bytes]]


@pytest.fixture(autouse=True)
def environment(label_studio: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)


def _random_mask(random: np.random.Generator) -> NDArray[np.bool_]:
    """Specks, holes and parts."""
    mask = random.random(_SIZE) < 0.1
    top, left = random.integers(0, 20, 2)
    mask[top : top + 9, left : left + 14] = True
    mask[top + 2 : top + 5, left + 3 : left + 8] = False
    return np.asarray(mask)


def _folder(root: Path, seed: int) -> tuple[Path, Masks]:
    """A folder as COCO's tools make it, and its masks as they are to come back."""
    random = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    masks: Masks = {}
    for image in range(1, _N_IMAGES + 1):
        name, exif = f"{image} ä+#.jpg", Image.Exif()
        turn = _ORIENTATION if image == _TURNED else 1
        exif[0x0112] = turn
        photo = Image.new("RGB", _SIZE[::-1], (image * 20, 90, 160))
        photo.save(root / "images" / name, exif=exif)
        images.append({"id": image, "file_name": name, "height": _SIZE[0], "width": _SIZE[1]})
        for category in (1, 2, 3, 3):
            mask = _random_mask(random)
            is_crowd = int(category == 2 and image == 2)
            rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "iscrowd": is_crowd,
                    "segmentation": {**rle, "counts": rle["counts"].decode()},
                }
            )
            key = (f"{image}", _LABELS[category - 1], is_crowd)
            masks.setdefault(key, []).append(_pixels(turned(mask, turn)))
    categories = [{"id": n, "name": label} for n, label in enumerate(_LABELS, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root, _sorted(masks)


def _pixels(mask: NDArray[np.bool_]) -> bytes:
    return f"{mask.shape} ".encode() + np.packbits(mask).tobytes()


def _sorted(masks: Masks) -> Masks:
    return {key: sorted(masks[key]) for key in sorted(masks)}


def _read(folder: Path, images: dict[int, str]) -> Masks:
    """The masks of an export, by the image that a task was made of."""
    coco = COCO(folder / "annotations.json")
    masks: Masks = {}
    for row in coco.anns.values():
        label = coco.cats[row["category_id"]]["name"]
        key = (images[row["image_id"]], label, row["iscrowd"])
        masks.setdefault(key, []).append(_pixels(coco.annToMask(row).astype(bool)))
        with Image.open(folder / "images" / coco.imgs[row["image_id"]]["file_name"]) as photo:
            assert photo.size[::-1] == coco.annToMask(row).shape
            assert photo.getexif().get(0x0112, 1) == 1
    return _sorted(masks)


def _images(api: LabelStudioApi, project: int) -> dict[int, str]:
    """The number of the photo that each task has, by its name's beginning."""
    tasks = tasks_of(api, project)
    return {task["id"]: Path(task["data"]["image"]).name.split("-")[1][0] for task in tasks}


def test_a_folder_comes_back_bit_by_bit_and_an_export_has_what_is_there_now(
    api: LabelStudioApi, tmp_path: Path
) -> None:
    project = api.create_project("there and back", _CONFIG)
    folder, expected = _folder(tmp_path / "in", seed=1)
    out = tmp_path / "out"
    importing = ["coco", "import", "--project", str(project), "--as", "annotations", "--coco"]
    export = ["coco", "export", "--project", str(project), "--out", str(out)]
    assert main([*importing, str(folder)]) == 0
    assert main(export) == 0
    images = _images(api, project)
    assert _read(out, images) == expected

    # One task is redrawn, another one is deleted.
    redrawn, gone = (task for task, image in images.items() if image in "34")
    mask = _random_mask(np.random.default_rng(9))
    row = {
        "id": "redrawn",
        "type": "brushlabels",
        "from_name": "tumors",
        "to_name": "image",
        "original_width": _SIZE[1],
        "original_height": _SIZE[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": ["Tumor"]},
    }
    (annotation,) = [t["annotations"][0] for t in tasks_of(api, project) if t["id"] == redrawn]
    change_annotation(api, annotation["id"], [row])
    delete_task(api, gone)
    assert main(export) == 0
    now = {key: masks for key, masks in expected.items() if key[0] in "12"}
    now[images[redrawn], "Tumor", 0] = [_pixels(mask)]
    assert _read(out, images) == _sorted(now)
    assert len(list((out / "images").iterdir())) == _N_IMAGES - 1


def test_another_folder_with_the_same_names_is_imported_too(
    api: LabelStudioApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = api.create_project("the same names", _CONFIG)
    imported = []
    for seed in (1, 2, 1):
        folder, _ = _folder(tmp_path / str(len(imported)), seed)
        importing = ["coco", "import", "--project", str(project), "--coco", str(folder), "--json"]
        assert main(importing) == 0
        summary = json.loads(capsys.readouterr().out)
        imported.append((summary["tasks"], summary["known"]))
    assert imported == [(_N_IMAGES, 0), (_N_IMAGES, 0), (0, _N_IMAGES)]
    assert api.n_tasks(project) == 2 * _N_IMAGES


_POLYGONS = """<View><Image name="image" value="$image"/>
<PolygonLabels name="outline" toName="image"><Label value="Cat"/></PolygonLabels></View>"""


def test_label_studios_own_coco_is_read(api: LabelStudioApi, tmp_path: Path) -> None:
    project = api.create_project("its own COCO", _POLYGONS)
    photo = tmp_path / "a.png"
    Image.new("RGB", _SIZE[::-1], (20, 90, 160)).save(photo)
    api.upload(project, [photo])
    (task,) = tasks_of(api, project)
    points = [[10, 10], [60, 10], [60, 80], [10, 80]]
    row = {
        "id": "r",
        "type": "polygonlabels",
        "from_name": "outline",
        "to_name": "image",
        "original_width": _SIZE[1],
        "original_height": _SIZE[0],
        "image_rotation": 0,
        "value": {"points": points, "closed": True, "polygonlabels": ["Cat"]},
    }
    add_annotation(api, task["id"], [row])
    url = f"{api.access.url}/api/projects/{project}/export?exportType=COCO_WITH_IMAGES"
    answer = requests.get(url, headers=api.access.headers(), timeout=60)
    assert answer.ok, answer.text[:300]
    folder = tmp_path / "its"
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
    problems: list[str] = []
    (image,) = read_coco(folder, on_problem=problems.append).images
    assert problems == []
    assert image.annotations
    other = api.create_project("from its own COCO", _POLYGONS)
    importing = ["coco", "import", "--coco", str(folder), "--as", "annotations"]
    assert main([*importing, "--project", str(other)]) == 0
    masks = []
    for number in (project, other):
        out = tmp_path / str(number)
        assert main(["coco", "export", "--project", str(number), "--out", str(out)]) == 0
        masks.append([*_read(out, dict.fromkeys(_images(api, number), "a")).items()])
    assert masks[0] == masks[1]
    assert [key for key, _ in masks[0]] == [("a", "Cat", 0)]
