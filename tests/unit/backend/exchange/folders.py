"""Label Studio without a network, and COCO folders to import into it."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools.coco import COCO

from backend.label_studio.access import LabelStudioRefusedError
from mfp_model.masks.rle import encode_mask
from tests.unit.backend.exchange.labeled import png

MASK = np.zeros((30, 40), dtype=np.bool_)
MASK[5:15, 10:30] = True


def masks_by_place(root: Path) -> dict[tuple[Any, ...], list[np.ndarray]]:
    """Masks by task, image, category and whether they are crowds, read by pycocotools."""
    coco = COCO(root / "annotations.json")
    masks: dict[tuple[Any, ...], list[np.ndarray]] = {}
    for entry in coco.anns.values():
        source = coco.imgs[entry["image_id"]]["label_studio"]
        name = coco.cats[entry["category_id"]]["name"]
        key = (source["task"], source["key"], source.get("index"), name, entry["iscrowd"])
        masks.setdefault(key, []).append(coco.annToMask(entry).astype(bool))
    return masks


class FakeLabelStudio:
    """Takes tasks as the API does; refuses what names a word."""

    def __init__(self, refused: str = "?") -> None:
        self.tasks: list[dict[str, Any]] = []
        self._refused = refused

    def data_values(self, project: int, key: str) -> set[str]:
        return {made["data"][key] for made in self.tasks if key in made["data"]}

    def upload_file(self, project: int, path: Path) -> str:
        return f"/data/upload/{project}/{path.name}"

    def import_tasks(self, project: int, tasks: list[dict[str, Any]]) -> None:
        if self._refused in json.dumps(tasks):
            raise LabelStudioRefusedError("Label Studio refuses it")
        self.tasks += tasks


def coco_folder(root: Path, mask: np.ndarray, names: tuple[str, ...] = ("a.png",)) -> Path:
    (root / "images").mkdir(parents=True)
    for name in names:
        (root / "images" / name).write_bytes(png(40, 30))
    images = [
        {"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names)
    ]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "segmentation": encode_mask(mask)}
        for n in range(len(names))
    ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "Cat"}],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def turned_photo(mask: np.ndarray, turn: int) -> bytes:
    """A photo whose stored pixels are white where a mask is."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    pixels = np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()
