"""What Label Studio's page and its requests hold, made up: masks, points, annotations."""

import base64
import io
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.label_studio import brush_rle

HEIGHT, WIDTH = 120, 200
_TIMES = itertools.count()
BRUSH = """<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image"{}>
<Label value="Cat"/><Label value="Dog"/></BrushLabels>
<KeyPointLabels name="click" toName="image"><Label value="Cat"/><Label value="Dog"/>
</KeyPointLabels></View>"""
POLYGON = BRUSH.replace("BrushLabels", "PolygonLabels")


def box(left: int, top: int, right: int, bottom: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def row(name: str, mask: NDArray[np.bool_], label: str = "Cat", **more: object) -> dict[str, Any]:
    value = {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [label]}
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": value,
        **more,
    }


def point(name: str, x: float, y: float, *, is_positive: bool = True, label: str = "Cat") -> Any:  # noqa: ANN401
    value = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "keypointlabels": [label]}
    return {
        "id": name,
        "type": "keypointlabels",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "is_positive": is_positive,
        "value": value,
    }


def saved(*rows: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"result": list(rows), "updated_at": f"2026-01-01T00:00:{next(_TIMES):02}Z", **more}


def request(
    *points: dict[str, Any], config: str = BRUSH.format(""), **task: object
) -> dict[str, Any]:
    """A body of `/predict` for a blue image."""
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "blue").save(buffer, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {
        "tasks": [{"id": 7, "data": {"image": uri}, "overlap": 1, **task}],
        "label_config": config,
        "project": "3.1",
        "params": {"context": {"result": list(points)}},
    }
