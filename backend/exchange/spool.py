"""What an export has collected so far, on disk: it is never all in memory, and goes on after a cut.

A task is in it with everything or not at all.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from backend.storage.letters import storable_text
from backend.storage.sqlite_file import of_schema, open_database
from mfp_model.errors import DataError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS origin (key TEXT);
CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, digest TEXT, run INTEGER);
CREATE TABLE IF NOT EXISTS images (id INTEGER PRIMARY KEY, task INTEGER, json TEXT);
CREATE TABLE IF NOT EXISTS annotations (
    id INTEGER PRIMARY KEY, task INTEGER, label TEXT, polygon_iou REAL, json TEXT
);
CREATE TABLE IF NOT EXISTS problems (id INTEGER PRIMARY KEY, task INTEGER, message TEXT);
CREATE TABLE IF NOT EXISTS left_out (task INTEGER, kind TEXT, n INTEGER);
CREATE INDEX IF NOT EXISTS images_by_task ON images (task);
CREATE INDEX IF NOT EXISTS annotations_by_task ON annotations (task);
CREATE INDEX IF NOT EXISTS problems_by_task ON problems (task);
CREATE INDEX IF NOT EXISTS left_out_by_task ON left_out (task);
"""
_OF_TASKS = ("images", "annotations", "problems", "left_out")
_NO_TASK = -1

ReportWritten = Callable[[int, int], None]


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
    """An export's collection, which an export that was cut goes on with.

    What a run did not meet, or met in another state, is not in what it writes.
    """

    def __init__(self, path: Path, *, key: str) -> None:
        """Open the collection, or begin a new one where there is none with this key."""
        self._path = path
        self._open()
        key_there = self._value("SELECT key FROM origin")
        if key_there is not None and key_there != key:
            self.remove()
            self._open()
        if self._value("SELECT key FROM origin") is None:
            self._database.execute("INSERT INTO origin VALUES (?)", (key,))
        self._run = int(self._value("SELECT COALESCE(MAX(run), 0) + 1 FROM tasks"))
        self._forget(_NO_TASK)

    def _open(self) -> None:
        self._database = open_database(self, self._path, of_schema(_SCHEMA), synchronous="NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def remove(self) -> None:
        """Close the file, and remove it with all that lies beside it for its sake."""
        self.close()
        for name in (f"{self._path.name}*", f".{self._path.name}.lock"):
            for path in self._path.parent.glob(name):
                path.unlink()

    def numbers(self, digests: Sequence[str]) -> list[int]:
        """Return an id for each state of a task: what is in with it has its own, others a free one.

        Args:
            digests: What tells the tasks from each other, and from what they were before.
        """
        ids = dict(self._database.execute("SELECT digest, id FROM tasks").fetchall())
        taken = {ids[digest] for digest in digests if digest in ids}
        free = (number for number in count(1) if number not in taken)
        return [ids[digest] if digest in ids else next(free) for digest in digests]

    def keeps(self, task: int, digest: str) -> bool:
        """Return whether a task is in as it is now; if so, it stays in.

        One with a problem is not: what it lacked may be there by now.

        Args:
            task: Its id.
            digest: Of all that counts of the task.
        """
        if self._value("SELECT digest FROM tasks WHERE id = ?", task) != digest:
            return False
        if self._value("SELECT 1 FROM problems WHERE task = ?", task) is not None:
            return False
        self._database.execute("UPDATE tasks SET run = ? WHERE id = ?", (self._run, task))
        return True

    def add(self, task: int | None, entries: TaskEntries, *, digest: str = "") -> None:
        """Put in what a task has, in place of what it had.

        Args:
            task: Its id; None for problems that belong to no task.
            entries: What it has.
            digest: As for `keeps`.

        Raises:
            DataError: Another task's image has the id of one of its images, or there is no such id;
                then nothing is put in.
        """
        try:
            self._add(_NO_TASK if task is None else task, entries, digest)
        except (sqlite3.IntegrityError, OverflowError):
            raise DataError(
                "the number of one of its images is too large, or another task's image has it"
            ) from None

    def _add(self, number: int, entries: TaskEntries, digest: str) -> None:
        run = self._database.execute
        with self._database:
            run("BEGIN")
            if number != _NO_TASK:
                self._forget(number)
                run("INSERT INTO tasks VALUES (?, ?, ?)", (number, digest, self._run))
            for image in entries.images:
                run("INSERT INTO images VALUES (?, ?, ?)", (image["id"], number, json.dumps(image)))
            for label, annotation in entries.annotations:
                iou, name = annotation.get("polygon_iou"), storable_text(label)
                columns = "(task, label, polygon_iou, json)"
                run(
                    f"INSERT INTO annotations {columns} VALUES (?, ?, ?, ?)",
                    (number, name, iou, json.dumps(annotation)),
                )
            for message in map(storable_text, entries.problems):
                run("INSERT INTO problems (task, message) VALUES (?, ?)", (number, message))
            for kind, n in entries.left_out.items():
                run("INSERT INTO left_out VALUES (?, ?, ?)", (number, storable_text(kind), n))

    def forget_others(self) -> None:
        """Take out the tasks that this run did not meet: they are gone since an earlier one."""
        gone = "SELECT id FROM tasks WHERE run <> ?"
        for row in self._database.execute(gone, (self._run,)).fetchall():
            self._forget(row[0])

    def _forget(self, task: int) -> None:
        for table in _OF_TASKS:
            self._database.execute(f"DELETE FROM {table} WHERE task = ?", (task,))
        self._database.execute("DELETE FROM tasks WHERE id = ?", (task,))

    def counts(self) -> dict[str, int]:
        """Return how many tasks, images, annotations and problems there are."""
        names = ("tasks", "images", "annotations", "problems")
        return {name: int(self._value(f"SELECT COUNT(*) FROM {name}")) for name in names}

    def problems(self, n: int) -> list[str]:
        """Return the first problems."""
        rows = self._database.execute("SELECT message FROM problems ORDER BY id LIMIT ?", (n,))
        return [row[0] for row in rows]

    def left_out(self) -> dict[str, int]:
        """Return how much was no object, by kind."""
        grouped = "SELECT kind, SUM(n) FROM left_out GROUP BY kind HAVING SUM(n) > 0 ORDER BY kind"
        return dict(self._database.execute(grouped).fetchall())

    def polygon_iou(self) -> dict[str, float] | None:
        """Return the least and the mean IoU of the polygons with their masks; None without."""
        query = "SELECT MIN(polygon_iou), AVG(polygon_iou) FROM annotations"
        least, mean = self._database.execute(query).fetchone()
        return None if least is None else {"least": least, "mean": round(mean, 6)}

    def labels(self) -> tuple[str, ...]:
        """Return the labels that occur, sorted."""
        rows = self._database.execute("SELECT DISTINCT label FROM annotations ORDER BY label")
        return tuple(row[0] for row in rows)

    def files(self) -> set[str]:
        """Return the names of the images' files."""
        return {image["file_name"] for image in self.images()}

    def images(self) -> Iterator[dict[str, Any]]:
        """Yield COCO's images, in the order of their tasks."""
        for (text,) in self._database.execute("SELECT json FROM images ORDER BY task, id"):
            yield json.loads(text)

    def annotations(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield each annotation's number, label and what else COCO has of it, by their tasks."""
        rows = self._database.execute("SELECT label, json FROM annotations ORDER BY task, id")
        for number, (label, text) in enumerate(rows, start=1):
            yield number, label, json.loads(text)

    def by_image(
        self, report: ReportWritten
    ) -> Iterator[tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]]:
        """Yield each of COCO's images with its annotations and their labels, by their tasks.

        Args:
            report: Told how many images were done, and how many there are.
        """
        rows = self._database.execute("SELECT task, json FROM images ORDER BY task, id")
        images = rows.fetchall()
        report(0, len(images))
        for n_done, (task, text) in enumerate(images, start=1):
            image = json.loads(text)
            rows = self._database.execute(
                "SELECT label, json FROM annotations WHERE task = ? ORDER BY id", (task,)
            )
            entries = ((label, json.loads(entry)) for label, entry in rows)
            yield image, [row for row in entries if row[1]["image_id"] == image["id"]]
            report(n_done, len(images))

    def _value(self, statement: str, *values: object) -> Any:  # noqa: ANN401, as the column has it
        row = self._database.execute(statement, values).fetchone()
        return None if row is None else row[0]
