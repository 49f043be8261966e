"""Masks as runs along the rows: what they cost depends on their outline, not on their area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.bounds import Bounds
from mfp_model.prompts import Click

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskRuns:
    """A mask `[height, width]`, image frame, by the runs of its pixels, row by row.

    Within a row runs neither touch nor overlap.

        . # # .    rows 0 1 1, starts 1 0 3, stops 3 1 4
        # . . #

    Attributes:
        height: Rows of the mask.
        width: Columns of the mask.
        rows: Each run's row, int64 `[n]`, ascending.
        starts: Its first column, int64 `[n]`, ascending within a row.
        stops: The column behind its last one, int64 `[n]`.
    """

    height: int
    width: int
    rows: Integers
    starts: Integers
    stops: Integers

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> MaskRuns:
        """Return the runs of a mask bool `[H, W]`."""
        height, width = mask.shape
        filled = np.flatnonzero(mask.any(axis=1))  # an object has few of a photo's rows
        first, behind = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
        inside = np.zeros((behind - first, width + 1), dtype=np.int8)  # one column ends each row
        inside[:, :width] = mask[first:behind]
        flat = inside.ravel()
        changes = np.flatnonzero(np.diff(flat, prepend=np.int8(0)))
        rows, starts = np.divmod(changes[::2], width + 1)
        stops = changes[1::2] % (width + 1)
        return cls(height=height, width=width, rows=rows + first, starts=starts, stops=stops)

    @classmethod
    def empty(cls, *, height: int, width: int) -> MaskRuns:
        """Return a mask without a pixel."""
        none = np.empty(0, dtype=np.int64)
        return cls(height=height, width=width, rows=none, starts=none, stops=none)

    @property
    def lengths(self) -> Integers:
        """Each run's pixels, int64 `[n]`."""
        return self.stops - self.starts

    @property
    def n_bytes(self) -> int:
        """Bytes that it holds."""
        return int(self.rows.nbytes + self.starts.nbytes + self.stops.nbytes)

    def flat_lengths(self) -> Integers:
        """Return how many pixels follow each other outside, inside, outside, …, row after row.

        It begins and ends with pixels outside the mask, maybe none.
        """
        starts, stops = self.rows * self.width + self.starts, self.rows * self.width + self.stops
        is_apart = np.ones(starts.size + 1, dtype=np.bool_)  # a row's end may touch the next start
        is_apart[1:-1] = starts[1:] != stops[:-1]
        bounds = np.stack([starts[is_apart[:-1]], stops[is_apart[1:]]], axis=1)
        return np.diff(bounds.ravel(), prepend=0, append=self.height * self.width)

    @classmethod
    def of_flat(cls, lengths: Integers, *, height: int, width: int) -> MaskRuns:
        """Return the mask that has these `flat_lengths`, which must add up to its size."""
        bounds = np.cumsum(lengths)[: lengths.size // 2 * 2]
        starts, stops = bounds[::2], bounds[1::2]
        first, last = starts // width, (stops - 1) // width  # a run may go on in the next rows
        n_rows = last - first + 1
        runs = np.repeat(np.arange(starts.size), n_rows)
        rows = first[runs] + np.arange(runs.size) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
        begins = np.maximum(starts[runs] - rows * width, 0)
        ends = np.minimum(stops[runs] - rows * width, width)
        return cls(height=height, width=width, rows=rows, starts=begins, stops=ends)

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask bool `[height, width]`."""
        lengths = self.flat_lengths()
        is_inside = np.arange(lengths.size) % 2 == 1
        return np.repeat(is_inside, lengths).reshape(self.height, self.width)

    def chosen(self, keeps: NDArray[np.bool_]) -> MaskRuns:
        """Return the mask of some of the runs only."""
        return self.replaced(self.rows[keeps], self.starts[keeps], self.stops[keeps])

    def replaced(
        self, rows: Integers, starts: Integers, stops: Integers, *, at_least: int = 1
    ) -> MaskRuns:
        """Return a mask of the same size with other runs, given in any order.

        Those that touch or overlap are joined, empty ones dropped.

        Args:
            rows: As in a mask.
            starts: Likewise.
            stops: Likewise.
            at_least: In so many of the runs a pixel must be.
        """
        filled = stops > starts
        # One column more to a row, so that the end of one and the start of the next do not touch.
        pitch = self.width + 1
        begins, ends = (np.sort((rows * pitch + x)[filled]) for x in (starts, stops))
        # As many lie over each other from the second begin to the first end, and so on.
        begins, ends = begins[at_least - 1 :], ends[: max(0, ends.size - at_least + 1)]
        begins, ends = begins[begins < ends], ends[begins < ends]
        is_apart = np.ones(begins.size + 1, dtype=np.bool_)
        is_apart[1:-1] = begins[1:] > ends[:-1]
        rows, starts = np.divmod(begins[is_apart[:-1]], pitch)
        stops = ends[is_apart[1:]] - rows * pitch
        return MaskRuns(height=self.height, width=self.width, rows=rows, starts=starts, stops=stops)

    def without(self, *, left: int, top: int, right: int, bottom: int) -> MaskRuns:
        """Return the mask with a rectangle taken out; right and bottom are exclusive."""
        crosses = (self.rows >= top) & (self.rows < bottom)
        cut_left = np.where(crosses, np.minimum(self.stops, left), self.stops)
        cut_right = np.maximum(self.starts, right)[crosses]
        return self.replaced(
            np.concatenate([self.rows, self.rows[crosses]]),
            np.concatenate([self.starts, cut_right]),
            np.concatenate([cut_left, self.stops[crosses]]),
        )

    def union(self, *others: MaskRuns) -> MaskRuns:
        """Return the pixels of this mask or any of the others, all of one size."""
        return self._covered((self, *others), at_least=1)

    def intersection(self, other: MaskRuns) -> MaskRuns:
        """Return the pixels of both masks, of one size."""
        return self._covered((self, other), at_least=2)

    def minus(self, other: MaskRuns) -> MaskRuns:
        """Return the pixels of this mask that are not of the other, of the same size."""
        return self.intersection(other.inverse())

    def _covered(self, masks: tuple[MaskRuns, ...], *, at_least: int) -> MaskRuns:
        """The pixels that lie in so many of the masks."""
        rows, starts, stops = (
            np.concatenate([getattr(mask, name) for mask in masks])
            for name in ("rows", "starts", "stops")
        )
        return self.replaced(rows, starts, stops, at_least=at_least)

    def cropped(self, *, left: int, top: int, right: int, bottom: int) -> MaskRuns:
        """Return a rectangle of the mask as a mask of its own; right and bottom are exclusive."""
        inside = (self.rows >= top) & (self.rows < bottom)
        frame = MaskRuns.empty(height=bottom - top, width=right - left)
        starts, stops = (x[inside].clip(left, right) - left for x in (self.starts, self.stops))
        return frame.replaced(self.rows[inside] - top, starts, stops)

    def bounds(self) -> Bounds | None:
        """Return the rectangle around the pixels, or None without one."""
        if not self.rows.size:
            return None
        left, right = int(self.starts.min()), int(self.stops.max())
        return Bounds(left, int(self.rows[0]), right, int(self.rows[-1]) + 1)

    def iou(self, other: MaskRuns) -> float:
        """Return the intersection over union with a mask of this size; 1 for two empty ones."""
        n_both = self._n_shared(other)
        n_either = int(self.lengths.sum() + other.lengths.sum()) - n_both
        return n_both / n_either if n_either else 1.0

    def _n_shared(self, other: MaskRuns) -> int:
        """How many pixels are of both masks, of one size."""
        starts = other.rows * self.width + other.starts
        n_until = np.concatenate([[0], np.cumsum(other.lengths)])  # pixels in the first runs
        stops = np.concatenate([[0], other.rows * self.width + other.stops])

        def n_before(places: Integers) -> Integers:
            n_begun = np.searchsorted(starts, places)
            behind = np.maximum(stops[n_begun] - places, 0)  # of the last run that has begun
            return np.asarray(n_until[n_begun] - behind)

        place = self.rows * self.width
        return int((n_before(place + self.stops) - n_before(place + self.starts)).sum())

    def inverse(self) -> MaskRuns:
        """Return the mask of all other pixels."""
        pitch = self.width + 1
        bounds = np.stack([self.rows * pitch + self.starts, self.rows * pitch + self.stops])
        edges = np.arange(self.height) * pitch
        every = np.sort(np.concatenate([bounds.ravel(), edges, edges + self.width]))
        rows, starts = np.divmod(every[::2], pitch)
        return self.replaced(rows, starts, every[1::2] - rows * pitch)

    def parts(self) -> Integers:
        """Return the connected part (0, 1, …) of each run; pixels touch at corners, too."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n_runs = self.rows.size
        pitch = self.width + 2
        begins, ends = self.rows * pitch + self.starts, self.rows * pitch + self.stops
        # Runs of the next row that this one touches: from the first that ends at its start or
        # later to the last that starts at its end or earlier.
        first = np.searchsorted(ends, begins + pitch, side="left")
        last = np.searchsorted(begins, ends + pitch, side="right")
        n_touched = np.maximum(last - first, 0)
        above = np.repeat(np.arange(n_runs), n_touched)
        offsets = np.arange(above.size) - np.repeat(np.cumsum(n_touched) - n_touched, n_touched)
        below = first[above] + offsets
        graph = coo_array((np.ones(above.size, np.int8), (above, below)), shape=(n_runs, n_runs))
        labels: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
        return labels

    def index_at(self, *, x: int, y: int) -> int | None:
        """Return the index of the run with the pixel (x, y), None if it is outside the mask."""
        pitch = self.width + 1
        place = y * pitch + x
        index = int(np.searchsorted(self.rows * pitch + self.starts, place, side="right")) - 1
        is_inside = index >= 0 and place < self.rows[index] * pitch + self.stops[index]
        return index if is_inside else None

    def index_under(self, click: Click) -> int | None:
        """Return the index of the run that a click lies on, None if it lies beside the mask."""
        row, column = click.pixel(height=self.height, width=self.width)
        return self.index_at(x=column, y=row)

    def distance(self, click: Click) -> float:
        """Return the pixels from a click to the mask, infinity to one without pixels."""
        if not self.rows.size:
            return float("inf")
        across = np.maximum(np.maximum(self.starts - click.x, click.x - self.stops), 0)
        return float(np.hypot(across, self.rows + 0.5 - click.y).min())
