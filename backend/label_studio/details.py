"""The details of a region: choices, texts, ratings, notes, and its place in the list.

Where an answer comes in a region's place the page keeps nothing else of the old one. So the answer
repeats what was saved of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backend.label_studio.regions import is_of_shape, notes_of
from backend.label_studio.rows import Row

DELETE_NOTE = "delete that one"  # ends the notes of regions that an answer leaves over
_SHAPE = ("format", "rle", "touches", "maskDataURL", "points", "closed")

Saved = Mapping[str, Any]


def with_details(rows: Sequence[Row], saved: Iterable[object]) -> list[Row]:
    """Return an answer's rows with the saved details of the regions that they replace.

    Args:
        rows: Of masks.
        saved: Rows of the annotation that the regions are in.
    """
    of_region: dict[str, list[Saved]] = {row["id"]: [] for row in rows}
    for row in saved:
        if isinstance(row, dict) and isinstance(row.get("value"), dict):
            of_region.get(str(row.get("id")), []).append(row)
    masks = [_noted(row, of_region[row["id"]]) for row in rows]
    about = [row for rows in of_region.values() for row in rows if not is_of_shape(row)]
    return [*masks, *map(_without_shape, about)]


def _noted(row: Row, saved: list[Saved]) -> Row:
    """A mask's row with the region's notes, and the region that it lies under in the list."""
    old = [note for other in saved for note in notes_of(other) if isinstance(note, str)]
    kept = [note for note in old if not note.endswith(DELETE_NOTE)]
    notes = [*dict.fromkeys([*kept, *row.get("meta", {}).get("text", [])])]
    parents = [{"parentID": other["parentID"]} for other in saved if other.get("parentID")]
    meta = {"meta": {"text": notes}} if notes else {}
    return {**row, **meta, **(parents[0] if parents else {})}


def _without_shape(row: Saved) -> Row:
    value = {name: entry for name, entry in row["value"].items() if name not in _SHAPE}
    return {**row, "value": value}
