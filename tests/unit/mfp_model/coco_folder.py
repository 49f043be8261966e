"""A COCO folder made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat


def make_coco_folder(root: Path, *, n_images: int = 3) -> Path:
    """Write images of a bright square on noise; polygons, COCO RLE and one crowd."""
    generator = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for index in range(n_images):
        pixels = generator.integers(0, 90, (60, 80, 3)).astype(np.uint8)
        left, top = 10 + 5 * index, 15
        pixels[top : top + 30, left : left + 30] = (230, 200, 40)
        Image.fromarray(pixels).save(root / "images" / f"{index}.png")
        images.append({"id": index, "file_name": f"{index}.png", "height": 60, "width": 80})
        right, bottom = left + 30, top + 30
        polygon = [[left, top, right, top, right, bottom, left, bottom]]
        mask = np.zeros((60, 80), bool)
        mask[top:bottom, left:right] = True
        flat = mask.T.reshape(-1)
        changes = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(int), [2]])))
        counts = np.diff(np.concatenate([[0], changes])).tolist()
        for segmentation, is_crowd in (
            (polygon, 0),
            ({"size": [60, 80], "counts": counts}, 0),
            (polygon, 1),
        ):
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": index,
                    "category_id": 1,
                    "segmentation": segmentation,
                    "iscrowd": is_crowd,
                }
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "square"}],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def make_sbd_folder(root: Path, *, split: str) -> Path:
    """Write one SBD image with a large instance, a small one, and a stripe of void."""
    for name in ("img", "inst"):
        (root / name).mkdir(parents=True)
    instances = np.zeros((40, 50), np.uint8)
    instances[5:25, 5:25] = 1
    instances[30:33, 30:33] = 2
    instances[39] = 255
    Image.new("RGB", (50, 40), "red").save(root / "img" / "a.jpg")
    savemat(root / "inst" / "a.mat", {"GTinst": {"Segmentation": instances}})
    (root / f"{split}.txt").write_text("a\n")
    return root
