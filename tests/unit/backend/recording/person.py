"""Somebody who clicks and saves, as Label Studio tells of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Flask
from numpy.typing import NDArray

from backend.models.served import ServedModels
from backend.recording.recorded_objects import RecordedObject, read_objects
from backend.server.routes import add_routes
from backend.server.service import create_service
from backend.settings import Settings
from backend.storage.shared_state import SharedState
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import box, request, row

CAT = box(20, 20, 80, 100)


class Person:
    """Clicks and saves."""

    def __init__(self, settings: Settings) -> None:
        models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
        self._service = create_service(settings, models=models)
        app = Flask("test")
        add_routes(app, self._service)
        self._client = app.test_client()
        self.state = SharedState(settings.data_dir)
        self.file = self.state.data.sessions_file

    def click(self, *points: dict[str, Any], **task: object) -> dict[str, Any]:
        answer = self._client.post("/predict", json=request(*points, **task))
        region: dict[str, Any] = answer.json["results"][0]["result"][0]
        return region

    def save(
        self, *rows: dict[str, Any], action: str = "ANNOTATION_CREATED", annotation: int = 5
    ) -> None:
        body = {
            "action": action,
            "project": {"id": 3},
            "task": {"id": 7},
            "annotation": {"id": annotation, "result": list(rows)},
            "annotations": [{"id": annotation}],
        }
        assert self._client.post("/webhook", json=body).status_code == 200

    def objects(self) -> list[RecordedObject]:
        self._service.recorder.wait()
        return read_objects(self.state.recorded())


def corrected(answer: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    return row(answer["id"], mask)
