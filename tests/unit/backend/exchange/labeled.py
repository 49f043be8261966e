"""Labelled tasks made on the spot, in Label Studio's JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from label_studio_sdk.converter import brush
from numpy.typing import NDArray
from PIL import Image

from backend.exchange.entries import ExportOptions
from backend.exchange.export import ExportSummary, export_coco
from backend.exchange.tasks import file_tasks
from backend.label_studio import brush_rle
from backend.label_studio.label_config import TaskConfigs
from mfp_model.errors import ImageError

CONFIG = TaskConfigs(
    """<View><Image name="image" value="$image"/>
    <BrushLabels name="mask" toName="image"><Label value="Cat"/><Label value="Dog"/></BrushLabels>
    <PolygonLabels name="outline" toName="image"><Label value="Dog"/><Label value="Tree"/>
    </PolygonLabels>
    <KeyPointLabels name="click" toName="image"><Label value="Point"/></KeyPointLabels></View>"""
)
ROWS, COLUMNS = np.mgrid[0:30, 0:40]
RING = ((COLUMNS - 20) ** 2 + (ROWS - 15) ** 2 < 140) & (
    (COLUMNS - 20) ** 2 + (ROWS - 15) ** 2 > 30
)
TWO_PARTS = (COLUMNS < 5) | (COLUMNS > 35)


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def row(mask: NDArray[np.bool_], label: str = "Cat", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A brush region."""
    return {
        "id": fields.pop("id", "r1"),
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": mask.shape[1],
        "original_height": mask.shape[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [label]},
        **fields,
    }


def soft_row(alpha: NDArray[np.uint8], label: str = "Cat") -> dict[str, Any]:
    """A brush region as the page encodes it after work with the eraser."""
    rgba = np.repeat(alpha.reshape(-1, 1), 4, axis=1).reshape(-1)
    region = row(alpha > 0, label)
    region["value"]["rle"] = [int(value) for value in brush.encode_rle(rgba)]
    return region


def shape_row(kind: str, label: str, size: tuple[int, int], **value: Any) -> dict[str, Any]:  # noqa: ANN401
    """A polygon, rectangle or ellipse."""
    return {
        "id": f"{kind}-1",
        "type": f"{kind}labels",
        "from_name": "outline",
        "to_name": "image",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": {**value, f"{kind}labels": [label]},
    }


def task(number: int, *results: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A task with an annotation for each result."""
    annotations = [
        {
            "id": 10 * number + index,
            "result": result,
            "completed_by": 1,
            "updated_at": f"2026-01-01T00:00:0{index}Z",
        }
        for index, result in enumerate(results)
    ]
    return {
        "id": number,
        "data": {"image": f"/data/upload/1/{number}.png"},
        "annotations": annotations,
        "drafts": [],
        "predictions": [],
        **fields,
    }


class Files:
    """Reads images from a dictionary instead of Label Studio."""

    def __init__(self, contents: Mapping[str, bytes], folder: Path | None = None) -> None:
        self._contents = contents
        self._folder = folder
        self.asked: list[str] = []

    def read(self, address: str, task_id: str) -> bytes:
        self.asked.append(address)
        if address not in self._contents:
            raise ImageError("no such file")
        return self._contents[address]

    def mounted(self, address: str) -> Path | None:
        return self._folder / Path(address).name if self._folder else None


def write_tasks(path: Path, tasks: list[Any]) -> Path:
    path.write_text(json.dumps(tasks))
    return path


def export(
    folder: Path,
    tasks: list[Any],
    *,
    size: tuple[int, int] = (40, 30),
    files: Files | None = None,
    config: TaskConfigs | None = CONFIG,
    options: ExportOptions | None = None,
) -> tuple[dict[str, Any], ExportSummary]:
    """Export tasks by way of a file; images are all of one size unless given."""
    images = {f"/data/upload/1/{number}.png": png(*size) for number in range(100)}
    summary = export_coco(
        file_tasks(write_tasks(folder / "tasks.json", tasks)),
        folder / "coco",
        config=config,
        sources=files or Files(images),
        options=options,
    )
    return json.loads((folder / "coco" / "annotations.json").read_text()), summary
