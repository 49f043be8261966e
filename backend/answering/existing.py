"""Masks that an annotation holds already."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections import Counter
from dataclasses import dataclass

from backend.label_studio.brush import painted_px
from backend.label_studio.controls import MaskControl
from backend.label_studio.page import Annotation
from backend.label_studio.regions import MaskRegion, regions_of
from backend.label_studio.shapes import region_runs
from backend.storage.bounded_cache import BoundedCache
from mfp_model.errors import DataError, MfpError
from mfp_model.masks.runs import MaskRuns

_log = logging.getLogger(__name__)
_KEPT_S = 3600.0
_MAX_READ_PX = 10_000_000_000  # 800 masks on 12 megapixels
_MAX_PAINTED_PX = 30_000_000_000  # seven seconds; 2,500 strokes on 12 megapixels
_COUNT_BYTES = 200
_MAX_COUNTS_BYTES = 4_000_000  # 20,000 masks
_OVERHEAD_BYTES = 1000
_KINDS = ("brush", "polygon")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExistingMask:
    """One of them.

    Attributes:
        id: Label Studio's id of the region.
        labels: Its labels, in order.
        runs: Its pixels.
        is_readonly: Nobody is to change it.
    """

    id: str
    labels: tuple[str, ...]
    runs: MaskRuns
    is_readonly: bool = False


class ExistingMasks:
    """Reads them, each only once while it is kept."""

    def __init__(self, *, max_bytes: int) -> None:
        self._runs: BoundedCache[str, MaskRuns] = BoundedCache(
            max_bytes=max_bytes, max_age_s=_KEPT_S
        )
        self._painted: BoundedCache[str, int] = BoundedCache(
            max_bytes=_MAX_COUNTS_BYTES, max_age_s=_KEPT_S
        )

    def read(
        self, annotation: Annotation, control: MaskControl, *, height: int, width: int
    ) -> list[ExistingMask]:
        """Return the masks of a control on an image of this size.

        Left out, and told in the log, are those that cannot be read, those of another size, and
        those after the first so many pixels.
        """
        masks, left_out = [], Counter[str]()
        n_pixels = n_painted = 0
        for region in regions_of(list(annotation.rows), Counter()):
            if isinstance(region, DataError) or region.kind not in _KINDS:
                continue
            if (region.from_name, region.to_name) != (control.name, control.to_name):
                continue
            if (region.height, region.width) != (height, width):
                left_out["of another size than the image"] += 1
                continue
            n_pixels += height * width
            if (digest := _digest(region)) is None:
                continue
            n_painted += self._painted_px(digest, region)
            if n_painted > _MAX_PAINTED_PX:
                left_out[f"strokes of drafts beyond {_MAX_PAINTED_PX} pixels; submit them"] += 1
            elif n_pixels > _MAX_READ_PX:
                left_out[f"beyond {_MAX_READ_PX} pixels"] += 1
            elif (mask := self._mask(digest, region)) is not None:
                masks.append(mask)
        for reason, n in left_out.items():
            _log.warning("%d masks are left out: %s", n, reason)
        return masks

    def _mask(self, digest: str, region: MaskRegion) -> ExistingMask | None:
        runs = self._runs.get(digest)
        if runs is None:
            try:
                runs = region_runs(region)
            except MfpError as error:
                _tell_unread(region, error)
                return None
            self._runs.put(digest, runs, _OVERHEAD_BYTES + runs.n_bytes)
        return ExistingMask(
            id=region.id, labels=region.labels, runs=runs, is_readonly=region.is_readonly
        )

    def _painted_px(self, digest: str, region: MaskRegion) -> int:
        """What a mask's strokes take; a damaged one is named where it is read."""
        n_pixels = self._painted.get(digest)
        if n_pixels is None:
            try:
                n_pixels = painted_px(region.value, height=region.height, width=region.width)
            except DataError:
                n_pixels = 0
            self._painted.put(digest, n_pixels, _COUNT_BYTES)
        return n_pixels


def _tell_unread(region: MaskRegion, error: MfpError) -> None:
    _log.warning("mask %.40s cannot be read: %s", region.id, error)


def _digest(region: MaskRegion) -> str | None:
    """What tells this shape from others; None, told in the log, where its RLE is damaged."""
    rle = region.value.get("rle") or []
    try:
        if not isinstance(rle, list):  # of a number `bytes` would make as many zeros
            raise DataError(f"brush RLE: expected a list, got {type(rle).__name__}")
        numbers = _rle_bytes(rle)
    except DataError as error:
        _tell_unread(region, error)
        return None
    rest = {name: value for name, value in region.value.items() if name != "rle"}
    # pickle is 18 times as fast as JSON; equal shapes that it tells apart are read once more
    shape = pickle.dumps((region.kind, region.height, region.width, rest, numbers))
    return hashlib.sha256(shape).hexdigest()


def _rle_bytes(rle: list[object]) -> bytes:
    try:
        return bytes(rle)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError("brush RLE: expected whole numbers in 0..255") from None
