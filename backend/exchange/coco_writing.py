"""What a spool has collected -> COCO's `annotations.json`."""

from __future__ import annotations

from pathlib import Path

from backend.exchange.spool import Spool
from mfp_model.data.coco_layout import ANNOTATIONS
from mfp_model.data.coco_writing import write_coco


def write_annotations(folder: Path, spool: Spool, labels: tuple[str, ...], *, about: str) -> None:
    """Write the annotations of a COCO folder, row by row.

    Args:
        folder: The folder.
        spool: The images and masks.
        labels: The categories, ids from 1 on in this order.
        about: Where they come from.
    """
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    write_coco(
        folder / ANNOTATIONS,
        images=spool.images(),
        annotations=(
            {"id": number, "category_id": numbers[label], **entry}
            for number, label, entry in spool.annotations()
        ),
        categories=[{"id": number, "name": label} for label, number in numbers.items()],
        about=about,
    )
