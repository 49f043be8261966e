"""Hand-written stand-ins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mfp_model.clicks import Click
from mfp_model.segmenters import Prediction, Segmenter, check_prefix
from mfp_model.transforms import LayeredMap, whole


class DiskSegmenter(Segmenter):
    """Answers a disk around every positive click, minus one around every negative click.

    Attributes:
        n_rounds: Rounds computed so far.
        clicks: The newest answer's clicks.
    """

    def __init__(self, radius: float = 20) -> None:
        self._radius = radius
        self.n_rounds = 0
        self.clicks: tuple[Click, ...] = ()

    @property
    def version(self) -> str:
        return "disks-1"

    @property
    def device(self) -> str:
        return "cpu"

    def rounds(
        self,
        image: NDArray[np.uint8],
        clicks: Sequence[Click],
        previous: Prediction | None = None,
    ) -> Iterator[Prediction]:
        checked = self.clicks = tuple(clicks)
        for n_clicks in range(check_prefix(checked, previous) + 1, len(checked) + 1):
            self.n_rounds += 1
            yield self._prediction(image, checked[:n_clicks])

    def _prediction(self, image: NDArray[np.uint8], clicks: tuple[Click, ...]) -> Prediction:
        height, width = image.shape[:2]
        rows, columns = np.mgrid[0:height, 0:width]
        values = np.zeros((height, width), np.float32)
        for click in clicks:
            near = (columns - click.x) ** 2 + (rows - click.y) ** 2 < self._radius**2
            values[near] = float(click.is_positive)
        layers = LayeredMap(height=height, width=width).pasted(whole(height, width), values)
        return Prediction(clicks=clicks, layers=layers)
