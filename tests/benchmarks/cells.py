"""Drawn micrographs of cells: a domain unlike photos, to measure fine-tuning on.

    python -m tests.benchmarks.cells OUT

writes `OUT/train` (20 images) and `OUT/test` (20 others) as COCO folders. A cell is a dark nucleus
in pale, grainy cytoplasm behind a thin membrane; cells touch and overlap.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.rle import encode_mask

HEIGHT, WIDTH = 360, 480
RADII = (25.0, 55.0)  # px
_MIN_AREA_PX = 500
_ROWS, _COLUMNS = np.mgrid[:HEIGHT, :WIDTH]

Array = NDArray[np.float64]


def make_cells(root: Path, *, n_images: int, seed: int, radii: tuple[float, float] = RADII) -> Path:
    """Write a COCO folder of drawn micrographs, whose cells' longer radii lie in a range."""
    (root / "images").mkdir(parents=True)
    generator = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, n_images + 1):
        pixels, masks = micrograph(generator, radii)
        name = f"{number:03}.png"
        cv2.imwrite(str(root / "images" / name), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
        for mask in masks:
            shape = {"segmentation": encode_mask(mask), "area": int(mask.sum()), "iscrowd": 0}
            numbers = {"id": len(annotations) + 1, "image_id": number, "category_id": 1}
            annotations.append({**numbers, **shape})
    categories = [{"id": 1, "name": "Object"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def micrograph(
    generator: np.random.Generator, radii: tuple[float, float] = RADII
) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """Return an image, RGB uint8 `[H, W, 3]`, and the masks of its cells, bool `[H, W]`."""
    ground = np.array([210, 190, 215]) + generator.normal(0, 10, 3)
    grain = 10 * _noise(generator, 40) + 6 * _noise(generator, 6)
    image = ground + grain[..., None]
    taken = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    masks: list[NDArray[np.bool_]] = []
    n_cells = generator.integers(8, 16)
    for _ in range(400):
        if len(masks) == n_cells:
            break
        centre = generator.uniform(0.05, 0.95, 2) * (WIDTH, HEIGHT)
        long = generator.uniform(*radii)
        short = long * generator.uniform(0.6, 1)
        mask = _outline(generator, centre, long, short)
        is_hidden = (mask & taken).sum() > 0.12 * mask.sum()
        mask &= ~taken
        if is_hidden or mask.sum() < _MIN_AREA_PX:
            continue
        _paint(generator, image, mask, centre, short)
        taken |= mask
        masks.append(mask)
    smooth = cv2.GaussianBlur(image.clip(0, 255).astype(np.float32), (0, 0), 0.8)
    noisy = smooth + generator.normal(0, 4, (HEIGHT, WIDTH, 1))
    return noisy.clip(0, 255).astype(np.uint8), masks


def _outline(
    generator: np.random.Generator, centre: Array, long: float, short: float
) -> NDArray[np.bool_]:
    """An ellipse with a wavy edge."""
    turn = generator.uniform(0, np.pi)
    across, down = _COLUMNS - centre[0], _ROWS - centre[1]
    u = (across * np.cos(turn) + down * np.sin(turn)) / long
    v = (-across * np.sin(turn) + down * np.cos(turn)) / short
    angle = np.arctan2(v, u)
    heights, phases = generator.uniform(0, 0.08, 3), generator.uniform(0, 2 * np.pi, 3)
    waves = sum(
        h * np.sin((k + 2) * angle + p)
        for k, (h, p) in enumerate(zip(heights, phases, strict=True))
    )
    return np.asarray(np.hypot(u, v) < 1 + waves)


def _paint(
    generator: np.random.Generator,
    image: Array,
    mask: NDArray[np.bool_],
    centre: Array,
    short: float,
) -> None:
    grain = (9 * _noise(generator, 4) + 8 * _noise(generator, 15))[..., None]
    cytoplasm = np.array([190, 150, 195]) + generator.normal(0, 12, 3)
    image[mask] = (cytoplasm + grain)[mask]
    x, y = centre + generator.uniform(-0.18, 0.18, 2) * short
    radius = short * generator.uniform(0.25, 0.45)
    nucleus = ((_COLUMNS - x) ** 2 + (_ROWS - y) ** 2 < radius**2) & mask
    image[nucleus] = (np.array([95, 60, 130]) + generator.normal(0, 10, 3) + 1.5 * grain)[nucleus]
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0
    image[mask & ~inner] -= 35


def _noise(generator: np.random.Generator, scale: int) -> Array:
    coarse = generator.normal(size=(HEIGHT // scale, WIDTH // scale))
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drawn micrographs of cells as COCO folders.")
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    make_cells(out / "train", n_images=20, seed=1)
    make_cells(out / "test", n_images=20, seed=2)
