"""The class for label-studio-ml with the 2.x signatures, on a stand-in for its base class.

Version 2 is in no package registry; `tests/e2e/test_label_studio_ml.py` has the real 1.0.9.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from backend.models.served import ServedModels
from backend.server.service import create_service
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.server.test_app import _with_image


class _Base:
    """As in 2.0: an instance for each request, told its project's configuration."""

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.label_config = label_config
        self.told: dict[str, str] = {}
        self.setup()

    def setup(self) -> None:
        raise NotImplementedError

    def set(self, key: str, value: str) -> None:
        self.told[key] = value


@pytest.fixture
def model_class(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    package, model = ModuleType("label_studio_ml"), ModuleType("label_studio_ml.model")
    model.LabelStudioMLBase = _Base  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "label_studio_ml", package)
    monkeypatch.setitem(sys.modules, "label_studio_ml.model", model)
    monkeypatch.delitem(sys.modules, "backend.server.label_studio_ml", raising=False)
    backend = importlib.import_module("backend.server.label_studio_ml").MfpBackend
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    backend._service = create_service(temporary_settings(), models=models)
    yield backend
    sys.modules.pop("backend.server.label_studio_ml", None)


def test_it_answers_clicks_with_the_context_as_an_argument(
    model_class: Any,  # noqa: ANN401
    capture: Callable[[str], Any],
) -> None:
    body = _with_image(capture("predict_first_click"), 1024, 768)
    model = model_class(project_id="1", label_config=body["label_config"])
    assert model.told == {"model_version": "disks-1"}
    (result,) = model.predict(body["tasks"], context=body["params"]["context"], login="x")
    assert result["result"][0]["type"] == "brushlabels"


def test_what_goes_wrong_is_an_empty_list(
    model_class: Any,  # noqa: ANN401
    capture: Callable[[str], Any],
) -> None:
    body = _with_image(capture("predict_first_click"), 10, 10)
    model = model_class(label_config=body["label_config"])
    assert model.predict(body["tasks"], context=body["params"]["context"]) == []
    assert model_class(label_config="<").predict(body["tasks"]) == []
    assert model.fit("ANNOTATION_CREATED", {}) == {}
