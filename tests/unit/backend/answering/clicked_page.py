"""A page with a click tool, as the requests that it sends."""

from typing import Any

import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray

from backend.label_studio import brush_rle
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import (
    BRUSH,
    HEIGHT,
    WIDTH,
    point,
    request,
    saved,
    settings_of,
)

AUTO = BRUSH.format(' autoAccept="true"')


class ClickedPage:
    """A page that accepts each answer at once."""

    def __init__(self, settings: Settings | None = None, config: str = BRUSH.format("")) -> None:
        self.segmenter = DiskSegmenter()
        models = ServedModels(lambda checkpoint: self.segmenter, version="disks-1")
        self.client: FlaskClient = create_app(
            settings or settings_of(), models=models
        ).test_client()
        self.config = config
        self.task: dict[str, Any] = {}

    def ask(self, *prompts: dict[str, Any], **task: object) -> list[dict[str, Any]]:
        body = request(*prompts, config=self.config, **{**self.task, **task})
        answer = self.client.post("/predict", json=body)
        assert answer.status_code == 200, answer.json
        rows: list[dict[str, Any]] = answer.json["results"][0]["result"]
        return rows

    def click(self, name: str, x: float, y: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        (region,) = self.ask(point(name, x, y, **more))
        return region

    def open(self) -> None:
        """Open the task, on this page or on another one."""
        body = request(config=self.config, **self.task)
        body["params"]["context"] = None
        assert self.client.post("/predict", json=body).status_code == 200

    def save(self, *rows: dict[str, Any], **more: object) -> None:
        """Save a draft."""
        self.task = {"drafts": [saved(*rows, id=1, annotation=None, **more)]}


def mask_of(row: dict[str, Any]) -> NDArray[np.bool_]:
    return brush_rle.decode(row["value"]["rle"], height=HEIGHT, width=WIDTH) > 127


def beside(placed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A point that is placed while a mask is selected comes twice."""
    return placed, {**placed, "type": "brushlabels", "from_name": "mask"}


def rectangle(name: str, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    value = {
        "x": left / WIDTH * 100,
        "y": top / HEIGHT * 100,
        "width": (right - left) / WIDTH * 100,
        "height": (bottom - top) / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": ["Dog"],
    }
    return {**point(name, 0, 0), "type": "rectanglelabels", "from_name": "box", "value": value}
