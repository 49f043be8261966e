"""What an export of a large project must not do: copy what it reads, or ask more than it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.exchange.export import export_coco
from backend.exchange.tasks import LabeledTask, TaskSource, labeled_task, project_tasks
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from tests.unit.backend.exchange.labeled import CONFIG, RING, Files, png, row, task


class _Uncopied(int):
    """A number of an RLE, of which a project has hundreds of millions."""

    def __deepcopy__(self, memo: object) -> _Uncopied:
        raise AssertionError("a number was copied by itself")


class _LabelStudio(LabelStudioApi):
    """Has 25 tasks, and notes what it is asked."""

    asked: list[str] = []

    def _call(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401
        self.asked.append(path)
        after = int(path.partition("value%22%3A+")[2].partition("%2C")[0])
        left = [number for number in range(25) if number > after]
        n_asked = int(path.partition("page_size=")[2].partition("&")[0])
        return {"tasks": [task(number) for number in left[:n_asked]], "total": len(left)}


def test_an_export_copies_no_number_of_an_rle(tmp_path: Path) -> None:
    drawn = row(RING)
    drawn["value"]["rle"] = [_Uncopied(number) for number in drawn["value"]["rle"]]
    labeled: LabeledTask = labeled_task(task(1, [drawn]))
    source = TaskSource(name="one", total=1, unit="task", read=lambda report: iter([labeled]))
    files = Files({"/data/upload/1/1.png": png(40, 30)})
    summary = export_coco(source, tmp_path / "coco", config=CONFIG, sources=files)
    assert (summary.annotations, summary.messages) == (1, [])


def test_label_studio_is_asked_once_for_each_page_of_tasks() -> None:
    api = _LabelStudio(LabelStudioAccess(url="http://studio", api_key="t"))
    source = project_tasks(api, 1)
    told: list[int] = []
    assert [entry.id for entry in source.read(told.append)] == list(range(25))  # type: ignore[union-attr]
    assert told == [10, 20, 25]
    assert len(api.asked) == 1 + 4  # how many there are; three pages, and the empty one behind
