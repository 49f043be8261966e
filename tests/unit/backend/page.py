"""What Label Studio's page and its requests hold, made up: masks, points, annotations."""

import base64
import io
import itertools
import json
import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.label_studio import brush_rle
from backend.settings import Settings
from tests.fakes import LoopbackSite, QuietHandler, temporary_settings

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
        "tasks": [{"id": 7, "data": {"image": uri}, **task}],
        "label_config": config,
        "project": "3.1",
        "params": {"context": {"result": list(points)}},
    }


class _Projects(QuietHandler):
    server: "ProjectSite"

    def do_GET(self) -> None:
        self.server.n_asked += 1
        with self.server.lock:
            pass
        drafts = self.server.drafts if self.path.endswith("/drafts") else None
        is_known = self.path == "/api/projects/3/" or drafts is not None
        content = json.dumps(self.server.project if drafts is None else drafts).encode()
        self.server.n_asked_for_drafts += self.path.endswith("/drafts")
        self.send_response(200 if is_known and self.server.is_up else 500)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class ProjectSite(LoopbackSite):
    """A Label Studio that knows project 3 and the drafts of its tasks, and no more.

    Attributes:
        drafts: What it answers; by default it cannot be asked.
    """

    def __init__(self, **project: object) -> None:
        super().__init__(_Projects)
        self.project = {
            "maximum_annotations": 1,
            "show_collab_predictions": True,
            "model_version": "",
            **project,
        }
        self.is_up = True
        self.lock = threading.Lock()  # hold it to keep an answer back
        self.n_asked = 0
        self.drafts: list[dict[str, Any]] | None = None
        self.n_asked_for_drafts = 0
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def settings(self) -> Settings:
        """Settings of a backend that may ask it."""
        return temporary_settings(label_studio_url=self.url, label_studio_api_key="key")


@cache
def _site(project: tuple[tuple[str, object], ...]) -> ProjectSite:
    return ProjectSite(**dict(project))


def site_of(**project: object) -> ProjectSite:
    """The Label Studio that says this of project 3.

    By default it asks for one annotator, and shows predictions.
    """
    return _site(tuple(sorted(project.items())))


def settings_of(**project: object) -> Settings:
    """Settings of a backend of the Label Studio that says this of project 3."""
    return site_of(**project).settings()


def faint_rle(alpha: NDArray[np.uint8]) -> list[int]:
    """A brush RLE of any opacity: a record of 16 bits for each run, none longer than 65,536."""
    values = np.repeat(alpha.ravel(), 4)
    bits = f"{values.size:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    for value, run in itertools.groupby(values.tolist()):
        length = len(list(run))
        for start in range(0, length, 1 << 16):
            bits += "111" + f"{min(length - start, 1 << 16) - 1:016b}" + f"{value:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
