"""A mask -> the rows that answer, in the form that its control takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backend.answering.edit import Edit
from backend.label_studio.details import DELETE_NOTE, with_details
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.relations import check_relations
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import RowFields, brush_rows, polygon_rows, result
from backend.monitoring.telemetry import Telemetry
from mfp_model.masks.polygons import mask_of, polygon_iou, polygons_of
from mfp_model.masks.runs import MaskRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """An object's answer.

    Attributes:
        runs: The mask.
        entry: Of `results`.
        regions: Ids of its regions, in order.
        shown: Their pixels, which polygons round.
    """

    runs: MaskRuns
    entry: dict[str, Any]
    regions: tuple[str, ...]
    shown: MaskRuns


class MaskEncoder:
    """Encodes masks."""

    def __init__(self, telemetry: Telemetry, *, polygon_error_px: float) -> None:
        """Make one; polygons may be so many pixels from the mask's edge."""
        self._telemetry = telemetry
        self._polygon_error_px = polygon_error_px

    def encode(
        self,
        task: TaskRequest,
        region: RegionRequest,
        edit: Edit,
        runs: MaskRuns,
        *,
        score: float,
        version: str,
    ) -> Encoded:
        """Return an object's answer.

        Args:
            task: The task.
            region: The object.
            edit: What it takes the place of.
            runs: The mask.
            score: 0..1.
            version: The model version.

        Raises:
            RelationError: The page would break.
        """
        if not region.control.auto_accept:
            check_relations(edit.regions, task.there.rows)
        assert (runs.height, runs.width) == (region.height, region.width), "else the page breaks"
        fields = RowFields(
            control=region.control,
            labels=edit.labels_of(region),
            page=task.image_index,
            region_id=next(iter(edit.regions), None),
            part_ids=edit.regions[1:],
            origin="prediction",
            score=score,
            notes=tuple(f"region {name} is in it now: {DELETE_NOTE}" for name in edit.joined),
        )
        if region.control.kind == "polygon":
            return self._outlined(task, edit, runs, fields, score=score, version=version)
        rows = with_details(brush_rows(runs, fields), task.there.rows)
        entry = result(rows, score=score, version=version)
        return Encoded(runs=runs, entry=entry, regions=_ids(entry), shown=runs)

    def _outlined(
        self,
        task: TaskRequest,
        edit: Edit,
        runs: MaskRuns,
        fields: RowFields,
        *,
        score: float,
        version: str,
    ) -> Encoded:
        """A mask as polygons, which have not all of its pixels."""
        mask = runs.mask()
        polygons = polygons_of(mask, max_error_px=self._polygon_error_px)
        iou = round(polygon_iou(polygons, mask), 4)
        self._telemetry.metrics.polygon_iou.observe(iou)
        gone = _left_over(task, edit, n_parts=len(polygons))
        notes = (f"region {name} is no part of it now: {DELETE_NOTE}" for name in gone)
        fields = replace(fields, notes=(*fields.notes, *notes))
        size = {"height": runs.height, "width": runs.width}
        rows = with_details(polygon_rows(polygons, fields, **size), task.there.rows)
        entry = result(rows, score=score, version=version, polygon_iou=iou)
        shown = MaskRuns.of(mask_of(polygons, **size))
        return Encoded(runs=runs, entry=entry, regions=_ids(entry), shown=shown)


def _left_over(task: TaskRequest, edit: Edit, *, n_parts: int) -> list[str]:
    """Ids of polygons that the page has and the answer does not, which no answer can take away."""
    is_saved = any(_is_there(task, name) for name in edit.regions[:1])
    further = edit.regions[n_parts:] if edit.is_accepted else ()
    return [name for name in further if not is_saved or _is_there(task, name)]


def _is_there(task: TaskRequest, region: str) -> bool:
    return task.there.has_any(frozenset({storable(region)}))


def together(answers: list[Encoded]) -> dict[str, Any]:
    """Return the entry of `results` that answers several objects of one request."""
    entries = [answer.entry for answer in answers]
    if len(entries) == 1:
        return entries[0]
    rows = [row for entry in entries for row in entry["result"]]
    score = min(entry["score"] for entry in entries)
    return result(rows, score=score, version=entries[-1]["model_version"])


def _ids(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(storable(row["id"]) for row in entry["result"]))
