"""The curves of a run: CSV files that grow by a line."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from mfp_model.files import is_empty


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a line to a CSV file, and its heading to one that is empty or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = is_empty(path)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: round(value, 6) for name, value in row.items()})
