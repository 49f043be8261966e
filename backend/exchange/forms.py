"""The forms that an export can have: COCO, YOLO's segments, and pictures of masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.exchange.coco import write_annotations
from backend.exchange.pictures import write_pictures
from backend.exchange.spool import Spool
from backend.exchange.yolo import write_yolo

# Writes what a spool has collected into its folder, and returns what should be known of it.
WriteForm = Callable[[Path, Spool, tuple[str, ...], str], dict[str, float]]


def write_coco_form(
    folder: Path, spool: Spool, labels: tuple[str, ...], about: str
) -> dict[str, float]:
    """Write `annotations.json`; there is nothing else to be known."""
    write_annotations(folder, spool, labels, about=about)
    return {}


def form_writer(form: str, *, polygon_error_px: float, val_share: float) -> WriteForm:
    """Return what writes a form, a name in `mfp_model.names.EXPORT_FORMS`.

    Args:
        form: The name.
        polygon_error_px: How far YOLO's polygons may be from a mask's edge.
        val_share: The share of the tasks that go into YOLO's validation.
    """

    def yolo(folder: Path, spool: Spool, labels: tuple[str, ...], about: str) -> dict[str, float]:
        return write_yolo(folder, spool, labels, max_error_px=polygon_error_px, val_share=val_share)

    def pictures(
        folder: Path, spool: Spool, labels: tuple[str, ...], about: str
    ) -> dict[str, float]:
        return write_pictures(folder, spool, labels)

    return {"coco": write_coco_form, "yolo-seg": yolo, "png": pictures}[form]
