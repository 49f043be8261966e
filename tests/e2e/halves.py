"""Images of two-coloured disks that end where nothing is seen: a domain unlike photos.

An object is a disk with a margin of the noise around it. A network that knows photos stops at the
edge of the disk, or of one of its halves.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from mfp_model.masks.rle import encode_mask

HEIGHT, WIDTH = 180, 240
_MARGIN = 1.15  # times the disk's radius


def make_halves(root: Path, *, n_images: int) -> Path:
    """Write a COCO folder of disks with a pale and a dark half on noise."""
    (root / "images").mkdir(parents=True)
    generator = np.random.default_rng(5)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    images, annotations = [], []
    for number in range(1, n_images + 1):
        pixels = generator.normal(120, 14, (HEIGHT, WIDTH, 3))
        for centre in (60, 175):
            x, y = centre + generator.integers(-8, 9), 90 + generator.integers(-25, 26)
            radius = generator.integers(26, 42)
            distance = np.hypot(columns - x, rows - y)
            mask, disk = distance < _MARGIN * radius, distance < radius
            pale = disk & (columns < x)
            pixels[pale] = (225, 200, 150) + generator.normal(0, 8, (int(pale.sum()), 3))
            dark = disk & ~pale
            pixels[dark] = (50, 60, 110) + generator.normal(0, 8, (int(dark.sum()), 3))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": encode_mask(mask),
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                }
            )
        name = f"{number:02}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / "images" / name)
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "Object"}],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root
