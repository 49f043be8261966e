"""Masks as polygons, for tools that take no bitmaps.

A polygon has one outline. A hole is joined to it by a cut of no width, walked there and back, so
that filling by either rule leaves the hole empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise

import cv2
import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy.spatial import cKDTree

from mfp_model.masks.bounds import bounds_of, mask_iou

Polygon = NDArray[np.float64]

_SHRINK = 0.85
_LEVEL = 0.4999  # below one half, so that pixels which touch at a corner are one part


def polygons_of(mask: NDArray[np.bool_], *, max_error_px: float) -> list[Polygon]:
    """Return one polygon for each connected part of a mask; pixels touch at corners, too.

    The outlines run along the pixels' edges with their corners cut, and are then simplified
    (Douglas-Peucker).

        . # .       (1, 0.5) (1.5, 0) (2, 0.5) (1.5, 1)

    Args:
        mask: bool `[H, W]`.
        max_error_px: How far an outline may be moved by simplification.

    Returns:
        Polygons float64 `[n, 2]` of x and y in pixels, 0..W and 0..H, the first point not
        repeated at the end; the largest part first.
    """
    bounds = bounds_of(mask)
    if bounds is None:
        return []
    inside = np.pad(mask[bounds.place], 1)
    generator = contour_generator(z=inside.astype(np.float32), fill_type=FillType.OuterOffset)
    offset = np.array([bounds.left, bounds.top], dtype=np.float64) - 0.5
    polygons = []
    for points, offsets in zip(*generator.filled(_LEVEL, 2.0), strict=True):
        edges = np.round(2 * points) / 2 + offset
        rings = [
            simplified(edges[start : end - 1], max_error_px)
            for start, end in zip(offsets[:-1], offsets[1:], strict=True)
        ]
        polygons.append(joined(rings))
    return sorted(polygons, key=lambda polygon: -_area(polygon))


def joined(rings: list[Polygon]) -> Polygon:
    """Return one outline of several: the first, with cuts to its holes or to further parts.

    A cut has no width, and joins nearest points.

    Args:
        rings: Outlines float64 `[n, 2]`, at least one.
    """
    if len(rings) == 1:
        return rings[0]
    rings = [rings[0], *sorted(rings[1:], key=lambda ring: float(ring[:, 0].min()))]
    points, starts = np.concatenate(rings), [0, *accumulate(map(len, rings))]
    following = list(range(1, len(points) + 1))  # the outline is a chain of points
    following[starts[1] - 1] = -1
    origins = list(range(len(points)))
    for start, stop, (here, there) in zip(
        starts[1:], starts[2:], _cuts(points, starts), strict=False
    ):
        back = len(following)  # a second time at `there`, and then at `here`
        following[stop - 1] = start
        following[there - 1 if there > start else stop - 1] = back
        following += [back + 1, following[here]]
        following[here] = there
        origins += [there, here]
    walk, place = [], 0
    while place >= 0:
        walk.append(origins[place])
        place = following[place]
    return points[walk]


def _cuts(points: Polygon, starts: list[int]) -> Iterator[tuple[int, int]]:
    """Yield, for each ring but the first, the nearest point of those before it, and its own.

    Rings are halved again and again, and the later half is measured to the earlier one. Each hole
    of a net against all before it would take hours.

    Args:
        points: Of all rings.
        starts: Where each ring begins, and where the last one ends.
    """
    distances, nearest = np.full(len(points), np.inf), np.zeros(len(points), dtype=np.int64)
    parts = [(0, len(starts) - 1)]
    while parts:
        low, high = parts.pop()
        if high - low > 1:
            middle = (low + high) // 2
            parts += [(low, middle), (middle, high)]
            later = slice(starts[middle], starts[high])
            reach, found = cKDTree(points[starts[low] : starts[middle]]).query(points[later])
            is_nearer = reach < distances[later]
            nearest[later] = np.where(is_nearer, found + starts[low], nearest[later])
            distances[later] = np.minimum(reach, distances[later])
    for start, stop in pairwise(starts[1:]):
        there = start + int(distances[start:stop].argmin())
        yield int(nearest[there]), there


def n_holes(mask: NDArray[np.bool_]) -> int:
    """Return the number of holes of a mask bool `[H, W]`."""
    _, hierarchy = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return 0 if hierarchy is None else int(np.count_nonzero(hierarchy[0, :, 3] >= 0))


def mask_of(polygons: list[Polygon], *, height: int, width: int) -> NDArray[np.bool_]:
    """Return what COCO's tools make of polygons: the union of their filled outlines.

    Args:
        polygons: As from `polygons_of`.
        height: Rows of the mask.
        width: Columns of the mask.
    """
    if not polygons:
        return np.zeros((height, width), dtype=np.bool_)
    encoded = coco_mask.frPyObjects(
        [polygon.ravel().tolist() for polygon in polygons], height, width
    )
    decoded = coco_mask.decode(coco_mask.merge(encoded))
    return np.asarray(decoded, dtype=np.bool_)


def polygon_iou(polygons: list[Polygon], mask: NDArray[np.bool_]) -> float:
    """Return the IoU of a mask with what COCO's tools make of its polygons; 1 for nothing."""
    bounds = bounds_of(mask)
    if bounds is None:
        return 1.0 if not polygons else 0.0
    moved = [polygon - (bounds.left, bounds.top) for polygon in polygons]
    drawn = mask_of(moved, height=bounds.height, width=bounds.width)
    return mask_iou(drawn, mask[bounds.place])


def simplified(ring: Polygon, max_error_px: float) -> Polygon:
    """Return a ring with as few of its points as the error allows.

    OpenCV drops points that are nearly on a line once it is done, and so may go too far.

    Args:
        ring: Float64 `[n, 2]` of x and y in pixels.
        max_error_px: How far its points may be from the edges that replace them.
    """
    epsilon = max_error_px
    while epsilon > 0.1 * max_error_px:
        kept = cv2.approxPolyDP(ring.astype(np.float32)[:, None], epsilon, closed=True)[:, 0]
        simple = kept.astype(np.float64)
        if len(simple) < 3:
            break
        if _deviation(ring, simple) <= max_error_px:
            return simple
        epsilon *= _SHRINK
    return ring


def _deviation(ring: Polygon, simple: Polygon) -> float:
    """How far the ring's points are from the edges that replace them, at most."""
    keys, wanted = (points[:, 0] + 1j * points[:, 1] for points in (ring, simple))
    order = np.argsort(keys)
    kept = np.sort(order[np.searchsorted(keys, wanted, sorter=order)])
    edge = np.searchsorted(kept, np.arange(len(ring)), side="right") - 1  # -1: before the first
    start, end = ring[kept[edge]], ring[kept[(edge + 1) % len(kept)]]
    along, offset = end - start, ring - start
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((offset * along).sum(axis=1) / length, 0, 1)
    return float(np.sqrt(((offset - share[:, None] * along) ** 2).sum(axis=1)).max())


def _area(polygon: Polygon) -> float:
    following = np.roll(polygon, -1, axis=0)
    return abs(float((polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum())) / 2
