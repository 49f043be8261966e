"""Strokes cover the pixels whose centres lie on them, as a browser's canvas draws them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.label_studio import stroke_pixels
from backend.label_studio.stroke_pixels import covered_runs, n_rows

_SIZE = {"height": 60, "width": 90}
_LINES = {
    "one point": [[30, 20]],
    "there and back": [[30, 20], [60, 20], [30, 20]],
    "upright": [[30.3, 5.2], [30.3, 50.1]],
    "a zigzag that leaves the image": [[-20, 10], [70.5, 33.3], [88, -9], [120, 70], [3, 55]],
    "outside": [[-200, -200], [-100, -300]],
}


def _covered(line: NDArray[np.float64], thickness_px: float) -> NDArray[np.bool_]:
    mask = np.zeros((_SIZE["height"], _SIZE["width"]), dtype=np.bool_)
    for runs in covered_runs(line, thickness_px, **_SIZE):
        for row, first, stop in zip(*(part.tolist() for part in runs), strict=True):
            assert not mask[row, max(0, first - 1) : stop + 1].any(), "runs touch"
            mask[row, first:stop] = True
    return mask


def _near(line: NDArray[np.float64], thickness_px: float) -> NDArray[np.bool_]:
    """By each pixel's distance to each step."""
    rows, columns = np.mgrid[: _SIZE["height"], : _SIZE["width"]] + 0.5
    mask = np.zeros(rows.shape, dtype=np.bool_)
    for (x, y), (to_x, to_y) in zip(line, [*line[1:], line[-1]], strict=True):
        across, down = to_x - x, to_y - y
        along = (columns - x) * across + (rows - y) * down
        part = np.clip(along / max(across**2 + down**2, 1e-12), 0, 1)
        away = np.hypot(columns - x - part * across, rows - y - part * down)
        mask |= away <= thickness_px / 2
    return mask


@pytest.mark.parametrize("name", _LINES)
@pytest.mark.parametrize("thickness_px", [1.1, 7.3, 30.2, 400.7])
def test_a_pixel_is_covered_where_its_centre_is(name: str, thickness_px: float) -> None:
    line = np.array(_LINES[name], dtype=np.float64)
    assert (_covered(line, thickness_px) == _near(line, thickness_px)).all()
    assert n_rows(line, thickness_px, height=_SIZE["height"]) <= 60 * len(line)


def test_a_long_line_is_covered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stroke_pixels, "_CHUNK_ROWS", 50)
    line = np.array(_LINES["a zigzag that leaves the image"], dtype=np.float64)
    assert len(list(covered_runs(line, 7.3, **_SIZE))) > 2
    mask = np.zeros((_SIZE["height"], _SIZE["width"]), dtype=np.bool_)
    for rows, first, stop in covered_runs(line, 7.3, **_SIZE):
        for row, begin, end in zip(rows, first, stop, strict=True):
            mask[row, begin:end] = True
    assert (mask == _near(line, 7.3)).all()
