"""A drawn picture of many like objects: coins on a dark tray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ACROSS, _RADIUS = 0.24, 0.36  # of the space that each coin has: its shading, its size


def tray_places(columns: int = 5, rows: int = 4) -> list[tuple[float, float]]:
    """Return where the coins lie, row by row, in percent."""
    return [
        ((column + 0.5) / columns * 100, (row + 0.5) / rows * 100)
        for row in range(rows)
        for column in range(columns)
    ]


def draw_tray(path: Path, *, width: int, height: int, columns: int = 5, rows: int = 4) -> Path:
    """Write a picture of so many coins, the same each time, and return its path."""
    space = min(width / columns, height / rows)
    down, across = np.mgrid[:height, :width]
    noise = np.random.default_rng(3).normal(0, 4, (height, width))
    picture: NDArray[np.float64] = 50 + across / width * 20 + noise
    for left, top in tray_places(columns, rows):
        x, y = left / 100 * width, top / 100 * height
        away = np.hypot(across - x, down - y)
        relief = 150 + (across - x) * _ACROSS * 100 / space + 12 * np.sin(away * 80 / space)
        picture = np.where(away < _RADIUS * space, relief + noise, picture)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB").save(path)
    return path
