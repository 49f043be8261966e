"""Pictures for people: dots where somebody clicked, masks beside their truth; all as PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.prompts import Click

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POSITIVE, NEGATIVE = (60, 220, 60), (240, 60, 60)  # colours of clicks, RGB


def draw_dot(
    image: NDArray[np.uint8], x: float, y: float, *, colour: tuple[int, int, int], radius_px: int
) -> None:
    """Draw a dot with a white edge into an image RGB uint8 `[H, W, 3]`."""
    centre = (int(x), int(y))
    cv2.circle(image, centre, radius_px + 1, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(image, centre, radius_px, colour, -1, cv2.LINE_AA)


def triplet(
    image: NDArray[np.uint8],
    clicks: Sequence[Click],
    truth: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Return a picture RGB uint8 `[H, 3 W, 3]`: image with clicks, truth, mask.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        clicks: Green where positive, red where negative.
        truth: bool `[H, W]`.
        mask: bool `[H, W]`.
    """
    marked = image.copy()
    radius_px = max(2, round(0.008 * max(image.shape[:2])))
    for click in clicks:
        colour = POSITIVE if click.is_positive else NEGATIVE
        draw_dot(marked, click.x, click.y, colour=colour, radius_px=radius_px)
    greys = [np.repeat(part[..., None], 3, axis=2).astype(np.uint8) * 255 for part in (truth, mask)]
    return np.hstack([marked, *greys])


def png(image: NDArray[np.uint8]) -> bytes:
    """Return an image RGB uint8 `[H, W, 3]` as a PNG file's content."""
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def figure_png(figure: Figure) -> bytes:
    """Return a figure of Matplotlib as a PNG file's content."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def png_address(content: bytes) -> str:
    """Return the address `data:` of a PNG file's content, which puts it into a page."""
    return "data:image/png;base64," + base64.b64encode(content).decode()
