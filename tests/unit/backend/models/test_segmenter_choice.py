import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.label_studio.brush_rle import decode
from backend.models.begun import BegunVersions
from backend.models.loading import choice_of
from backend.models.segmenter_choice import SegmenterChoice
from backend.models.served import NotReadyError, ServedModels
from backend.server.app import create_app
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.segmenter import Segmenter
from tests.fakes import DiskSegmenter, temporary_settings

Capture = Callable[[str], Any]


class Named(DiskSegmenter):
    """A segmenter that is known by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def version(self) -> str:
        return self._name


def _started_models() -> ServedModels:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    models.start()
    return models


def _choice(by_project: dict[str, str]) -> tuple[SegmenterChoice, list[str]]:
    loaded: list[str] = []

    def load(name: str) -> Segmenter:
        loaded.append(name)
        if name == "unet":
            raise CheckpointError("unet.safetensors: no such file")
        return Named(name)

    def dress(name: str, inner: Segmenter) -> Segmenter:
        return Named(f"{name} around {inner.version}")

    return SegmenterChoice(_started_models(), BegunVersions(), load, dress, by_project), loaded


def _asked(choice: SegmenterChoice, segmenter: str | None, project: str = "1") -> Segmenter:
    return choice.segmenter(project, frozenset({"p1"}), asked=segmenter)


def test_the_label_configuration_comes_before_the_setting() -> None:
    choice, loaded = _choice({"": "graph-cut", "7": "mfp-refined"})
    assert _asked(choice, None).version == "graph-cut"
    assert _asked(choice, "mfp").version == "disks-1"
    assert _asked(choice, None, "7").version == "mfp-refined around disks-1"
    assert _asked(choice, "inpaint", "7").version == "inpaint around disks-1"
    segmenter = _asked(choice, "graph-cut")
    assert segmenter is _asked(choice, None)
    assert loaded == ["graph-cut"]


def test_without_either_it_is_mfp() -> None:
    choice, loaded = _choice({})
    assert _asked(choice, None).version == "disks-1"
    assert not loaded


def test_unknown_and_broken_segmenters_are_named() -> None:
    choice, _ = _choice({})
    with pytest.raises(ConfigError, match="segmenter='sam'"):
        _asked(choice, "sam")
    with pytest.raises(NotReadyError, match="no such file"):
        _asked(choice, "unet")


def test_settings_load_the_real_ones(tmp_path: Path) -> None:
    settings = temporary_settings(
        segmenter={"": "graph-cut", "2": "graph-cut-deep"}, data_dir=tmp_path, device="cpu"
    )
    choice = choice_of(settings, _started_models(), BegunVersions())
    assert _asked(choice, None).version.startswith("graph-cut-rgb-")
    deep = _asked(choice, None, "2")
    assert deep.version.startswith("graph-cut-lite2-3-")


def test_the_server_answers_with_a_graph_cut_where_the_project_says_so(capture: Capture) -> None:
    image = np.full((768, 1024, 3), 90, dtype=np.uint8)
    image[100:300, 400:600] = (220, 40, 40)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    client = create_app(
        temporary_settings(segmenter={"1": "graph-cut"}), models=models
    ).test_client()
    body = capture("predict_first_click")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    body["tasks"][0]["data"]["image"] = f"data:image/png;base64,{encoded}"

    (answer,) = client.post("/predict", json=body).json["results"]

    assert answer["model_version"].startswith("graph-cut-rgb-")
    mask = decode(answer["result"][0]["value"]["rle"], height=768, width=1024) > 127
    truth = np.zeros((768, 1024), dtype=np.bool_)
    truth[100:300, 400:600] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97
