"""What an export has collected so far, on disk: it is never all in memory, and goes on after a cut.

A task is in it with everything or not at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.storage.database import open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS origin (key TEXT);
CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS images (id INTEGER PRIMARY KEY, json TEXT);
CREATE TABLE IF NOT EXISTS annotations (id INTEGER PRIMARY KEY, label TEXT, json TEXT);
CREATE TABLE IF NOT EXISTS polygons (iou REAL);
CREATE TABLE IF NOT EXISTS problems (id INTEGER PRIMARY KEY, message TEXT);
CREATE TABLE IF NOT EXISTS left_out (kind TEXT PRIMARY KEY, n INTEGER);
"""


@dataclass(slots=True, kw_only=True)
class TaskEntries:
    """What one task adds.

    Attributes:
        images: COCO images.
        annotations: COCO annotations without `id` and `category_id`, each with its label.
        problems: What could not be exported, and why.
        left_out: What is no object, counted by kind.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class Spool:
    """An export's collection."""

    def __init__(self, path: Path, *, key: str) -> None:
        """Open the collection, or begin a new one where there is none with this key."""
        self._path = path
        self._open()
        key_there = self._one("SELECT key FROM origin")
        if key_there is not None and key_there != key:
            self.close()
            for old in path.parent.glob(f"{path.name}*"):
                old.unlink()
            self._open()
        if self._one("SELECT key FROM origin") is None:
            self._database.execute("INSERT INTO origin VALUES (?)", (key,))

    def _open(self) -> None:
        self._database = open_database(self, self._path, _SCHEMA, synchronous="NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def has(self, task: int) -> bool:
        """Return whether a task is in."""
        return self._one("SELECT 1 FROM tasks WHERE id = ?", task) is not None

    @property
    def last_task(self) -> int:
        """The highest task id so far, -1 for none."""
        return int(self._one("SELECT COALESCE(MAX(id), -1) FROM tasks"))

    def add(self, task: int | None, entries: TaskEntries) -> None:
        """Add what a task has; None for problems that belong to no task."""
        run = self._database.execute
        with self._database:
            run("BEGIN")
            if task is not None:
                run("INSERT INTO tasks VALUES (?)", (task,))
            for image in entries.images:
                run("INSERT INTO images VALUES (?, ?)", (image["id"], json.dumps(image)))
            for label, annotation in entries.annotations:
                values = (label, json.dumps(annotation))
                run("INSERT INTO annotations (label, json) VALUES (?, ?)", values)
                if "polygon_iou" in annotation:
                    run("INSERT INTO polygons VALUES (?)", (annotation["polygon_iou"],))
            for message in entries.problems:
                run("INSERT INTO problems (message) VALUES (?)", (message,))
            for kind, n in entries.left_out.items():
                upsert = "ON CONFLICT (kind) DO UPDATE SET n = n + excluded.n"
                run(f"INSERT INTO left_out VALUES (?, ?) {upsert}", (kind, n))

    def counts(self) -> dict[str, int]:
        """Return how many tasks, images, annotations and problems there are."""
        names = ("tasks", "images", "annotations", "problems")
        return {name: int(self._one(f"SELECT COUNT(*) FROM {name}")) for name in names}

    def problems(self, n: int) -> list[str]:
        """Return the first problems."""
        rows = self._database.execute("SELECT message FROM problems ORDER BY id LIMIT ?", (n,))
        return [row[0] for row in rows]

    def left_out(self) -> dict[str, int]:
        """Return how much was no object, by kind."""
        rows = self._database.execute("SELECT kind, n FROM left_out WHERE n > 0 ORDER BY kind")
        return dict(rows.fetchall())

    def polygon_iou(self) -> dict[str, float] | None:
        """Return the least and the mean IoU of the polygons with their masks; None without."""
        least, mean = self._database.execute("SELECT MIN(iou), AVG(iou) FROM polygons").fetchone()
        return None if least is None else {"least": least, "mean": round(mean, 6)}

    def labels(self) -> tuple[str, ...]:
        """Return the labels that occur, sorted."""
        rows = self._database.execute("SELECT DISTINCT label FROM annotations ORDER BY label")
        return tuple(row[0] for row in rows)

    def images(self) -> Iterator[dict[str, Any]]:
        """Yield COCO's images, in the order of their ids."""
        for (text,) in self._database.execute("SELECT json FROM images ORDER BY id"):
            yield json.loads(text)

    def annotations(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield each annotation's number, label and what else COCO has of it, in their order."""
        rows = self._database.execute("SELECT id, label, json FROM annotations ORDER BY id")
        for number, label, text in rows:
            yield number, label, json.loads(text)

    def _one(self, statement: str, *values: object) -> Any:  # noqa: ANN401, as the column has it
        row = self._database.execute(statement, values).fetchone()
        return None if row is None else row[0]
