"""The curves of a run: CSV files that grow by a line."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from mfp_model.files import is_empty, write_atomically
from mfp_model.training import ranks

_LOG_EVERY = 20  # steps averaged in a line of the log


class MeanLog:
    """A CSV file that gets a line of means every 20 steps, from the first of several processes."""

    def __init__(self, path: Path) -> None:
        """Add to the file at a path, or begin it."""
        self._path = path
        self._steps: list[Mapping[str, float]] = []

    def add(self, step: Mapping[str, float]) -> None:
        """Note a step: `n_seen` and figures."""
        self._steps.append(step)
        if len(self._steps) == _LOG_EVERY:
            steps, self._steps = self._steps, []
            if ranks.rank() == 0:
                means = {name: sum(x[name] for x in steps) / len(steps) for name in step}
                append_row(self._path, {**means, "n_seen": step["n_seen"]})


def drop_rows_after(path: Path, n_seen: float) -> None:
    """Drop the lines of more samples than a run goes on from, and one that was cut.

    A run that was killed had written them after its state was saved, and comes to them again.

    Args:
        path: The file, which may be missing.
        n_seen: Samples of the state.
    """
    if is_empty(path):
        return
    text = path.read_text(errors="replace")
    whole, _, cut = text.rpartition("\n")
    lines = whole.splitlines()
    heading = lines[0].split(",") if lines else ["n_seen"]
    if "n_seen" not in heading:  # somebody else's file
        return
    column = heading.index("n_seen")
    kept = lines[:1] + [line for line in lines[1:] if _number_in(line, column) <= n_seen]
    if cut or kept != lines:
        write_atomically(path, "".join(f"{line}\r\n" for line in kept).encode())


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a line to a CSV file, and its heading to one that is empty or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = is_empty(path)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: round(value, 6) for name, value in row.items()})


def _number_in(line: str, column: int) -> float:
    try:
        return float(line.split(",")[column])
    except (IndexError, ValueError):
        return math.inf
