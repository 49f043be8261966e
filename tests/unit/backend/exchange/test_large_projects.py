"""What an export of a large project must not do: copy what it reads, or ask more than it needs."""

from __future__ import annotations

from pathlib import Path

from backend.exchange.export import export_coco
from backend.exchange.tasks import LabeledTask, TaskSource, labeled_task
from tests.unit.backend.exchange.labeled import CONFIG, RING, Files, png, row, task


class _Uncopied(int):
    """A number of an RLE, of which a project has hundreds of millions."""

    def __deepcopy__(self, memo: object) -> _Uncopied:
        raise AssertionError("a number was copied by itself")


def test_an_export_copies_no_number_of_an_rle(tmp_path: Path) -> None:
    drawn = row(RING)
    drawn["value"]["rle"] = [_Uncopied(number) for number in drawn["value"]["rle"]]
    labeled: LabeledTask = labeled_task(task(1, [drawn]))
    source = TaskSource(name="one", total=1, unit="task", read=lambda report: iter([labeled]))
    files = Files({"/data/upload/1/1.png": png(40, 30)})
    summary = export_coco(source, tmp_path / "coco", config=CONFIG, sources=files)
    assert (summary.annotations, summary.messages) == (1, [])
