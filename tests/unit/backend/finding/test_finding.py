"""Predictions without clicks, by the server and in batches."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.cli import main
from backend.finding.answer import prediction
from backend.finding.loaded_finders import Finders, finding_version
from backend.label_studio.brush_rle import decode
from backend.label_studio.label_config import parse_label_config
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.storage.data_folder import DataFolder
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from mfp_model.finding.layers import LayersConfig
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt
from mfp_model.weights.downloads import WEIGHTS_SOURCES
from mfp_model.weights.versions import model_version
from tests.fakes import DiskSegmenter, LoopbackSite, QuietHandler, temporary_settings
from tests.registries import registry_in
from tests.unit.backend import page
from tests.unit.backend.finding.two_layers import CONFIG, two_layers

Capture = Callable[[str], Any]


def test_the_less_of_an_image_is_explained_the_lower_is_its_predictions_score() -> None:
    (control,) = parse_label_config(CONFIG.format(kind="BrushLabels", finder="mfp")).controls
    layers = two_layers(np.zeros((20, 30, 3), dtype=np.uint8))
    scores = [
        prediction(some, control, version="v-1", polygon_error_px=1)["score"]
        for some in (layers, layers[:1], [])
    ]
    assert scores == [0.7, 0.45, 0.0]


@pytest.mark.parametrize("kind", ["BrushLabels", "PolygonLabels"])
def test_a_prediction_has_all_objects_and_marks_hidden_ones(kind: str) -> None:
    (control,) = parse_label_config(CONFIG.format(kind=kind, finder="mfp")).controls
    layers = two_layers(np.zeros((20, 30, 3), dtype=np.uint8))
    entry = prediction(layers, control, version="v-1", polygon_error_px=1)
    front, behind = entry["result"]
    assert entry["model_version"] == "v-1"
    assert entry["score"] == pytest.approx(0.7)
    assert front["id"] != behind["id"]
    assert (front["score"], behind["score"]) == (0.9, 0.5)
    assert "meta" not in front
    assert behind["meta"] == {"text": ["hidden: seen after 2 removals"]}
    name = kind.lower()
    assert front["value"][name] == ["cat"]
    assert behind["value"][name] == ["Thing"]
    if kind == "BrushLabels":
        mask = decode(front["value"]["rle"], height=20, width=30)
        assert (mask[:10] == 255).all()
        assert not mask[10:].any()
    else:
        points = np.array(behind["value"]["points"])
        assert points.min() == 0
        assert points.max() == 100


def _body(capture: Capture, finder: str, *images: str) -> Any:  # noqa: ANN401
    body = capture("predict_open_task_context_null")
    body["label_config"] = CONFIG.format(kind="BrushLabels", finder=finder)
    body["tasks"] = [{"id": index, "data": {"image": image}} for index, image in enumerate(images)]
    return body


def _uri() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (120, 90), "blue").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_each_task_gets_its_objects_and_a_broken_one_an_empty_answer(capture: Capture) -> None:
    models = ServedModels(lambda checkpoint: DiskSegmenter(radius=25), version="disks-1")
    client = create_app(temporary_settings(), models=models).test_client()
    body = _body(capture, "mfp", _uri(), "data:image/png;base64,AAAA", _uri())
    first, broken, last = client.post("/predict", json=body).json["results"]
    assert len(first["result"]) == len(last["result"]) > 1
    assert first["model_version"] == "disks-1-telea"
    setup = {"project": "1.1", "schema": body["label_config"]}
    assert client.post("/setup", json=setup).json["model_version"] == "disks-1-telea"
    assert broken == {"result": [], "score": 0.0}
    assert "3 bytes that are no image" in client.get("/").data.decode()


def test_nothing_is_looked_for_once_the_client_has_left(capture: Capture) -> None:
    models = ServedModels(lambda checkpoint: DiskSegmenter(radius=25), version="disks-1")
    client = create_app(temporary_settings(), models=models).test_client()
    asked = iter([False])  # at the second task it has left
    answer = client.post(
        "/predict",
        json=_body(capture, "mfp", *[_uri()] * 5),
        environ_overrides={"waitress.client_disconnected": lambda: next(asked, True)},
    )
    n_objects = [len(result["result"]) for result in answer.json["results"]]
    assert n_objects[0] > 0
    assert n_objects[1:] == [0] * 4


class _Gated(DiskSegmenter):
    """Waits with images of the size of `_uri` until it may go on."""

    def __init__(self) -> None:
        super().__init__(radius=25)
        self.is_asked, self.gate = threading.Event(), threading.Event()

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        if image.shape[:2] == (90, 120):
            self.is_asked.set()
            self.gate.wait(30)
        yield from super()._rounds(image, prompts, previous)


def test_tasks_that_are_opened_at_once_wait_for_each_other_up_to_a_number(capture: Capture) -> None:
    segmenter = _Gated()
    models = ServedModels(lambda checkpoint: segmenter, version="disks-1")
    app = create_app(temporary_settings(max_waiting=4), models=models)
    client, has_left = app.test_client(), threading.Event()

    def opened(**environ: object) -> Any:  # noqa: ANN401
        body = _body(capture, "mfp", _uri())
        answer = app.test_client().post("/predict", json=body, environ_overrides=environ)
        return answer.json

    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(opened)
            assert segmenter.is_asked.wait(30)
            second = pool.submit(opened, **{"waitress.client_disconnected": has_left.is_set})
            until = time.monotonic() + 30
            while "mfp_waiting 2.0" not in client.get("/metrics").text:
                assert time.monotonic() < until
                time.sleep(0.01)
            refused = opened()
            assert refused["results"] == []
            assert "2 requests are in work already" in refused["error"]
            assert "BusyError" in client.get("/").text
            clicked = client.post("/predict", json=page.request(page.point("p", 50, 50)))
            assert clicked.json["results"][0]["result"]
            has_left.set()
            assert second.result(30) == {"results": [{"result": [], "score": 0.0}]}
            assert not first.done()
        finally:
            segmenter.gate.set()
        assert first.result(30)["results"][0]["result"]
    assert opened()["results"][0]["result"]


@pytest.mark.parametrize(("finder", "words"), [("sam", "expected one of"), ("deeplab", "offline")])
def test_a_finder_that_cannot_be_had_is_an_error_on_the_status_page(
    capture: Capture, tmp_path: Path, finder: str, words: str
) -> None:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    settings = temporary_settings(data_dir=tmp_path)
    client = create_app(settings, models=models).test_client()
    (answer,) = client.post("/predict", json=_body(capture, finder, _uri())).json["results"]
    assert answer["result"] == []
    assert words in client.get("/").data.decode()


def serving(
    tasks: list[dict[str, Any]],
    stored: list[dict[str, Any]],
    *,
    config: str = CONFIG.format(kind="BrushLabels", finder="mfp"),
) -> LoopbackSite:
    """A Label Studio with one project."""

    class Api(QuietHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.startswith("/api/projects/"):
                self._answer({"label_config": config})
            elif parts.path.startswith("/api/dm/views/"):
                self._answer([{"data": {"title": "Least sure first"}}])
            else:
                asked = json.loads(parse_qs(parts.query)["query"][0])
                after = asked["filters"]["items"][0]["value"]
                rest = [task for task in tasks if task["id"] > after]
                self._answer({"total": len(rest), "tasks": rest})

        def do_POST(self) -> None:
            stored.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer({})

        do_PATCH = do_GET

        def _answer(self, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return LoopbackSite(Api)


@pytest.mark.slow
def test_the_command_leaves_alone_what_opening_a_task_found(
    tmp_path: Path,
    tiny_checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_checkpoint(replace(tiny_checkpoint, version="own-7"), tmp_path / "own.safetensors")
    settings = temporary_settings(device="cpu")
    registry = registry_in(DataFolder(settings.data_dir).models)
    registry.promote(registry.add_file(tmp_path / "own.safetensors"), project="3")
    models = ServedModels(lambda path: DiskSegmenter(), version="disks-1", registry=registry)
    models.start()
    models.segmenter("3", wait_s=10)
    opened = Finders(settings, models).version("mfp", "telea", "3")
    own = model_version(tmp_path / "own.safetensors")
    assert own.startswith("own-7-")
    assert opened == f"{own}-telea"
    tasks = [
        {"id": 1, "data": {"image": _uri()}, "predictions": [{"model_version": opened}]},
        {"id": 2, "data": {"image": _uri()}, "predictions": [{"model_version": "old"}]},
    ]
    stored: list[dict[str, Any]] = []
    with serving(tasks, stored).serving() as site:
        for name, value in (
            ("MFP_DATA_DIR", str(settings.data_dir)),
            ("LABEL_STUDIO_URL", site.url),
            ("LABEL_STUDIO_API_KEY", "key"),
        ):
            monkeypatch.setenv(name, value)
        assert main(["annotate", "--project", "3", "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 1
    assert [entry["task"] for entry in stored] == [2]
    assert stored[0]["model_version"] == opened


def test_a_version_tells_a_loop_that_is_not_the_usual_one() -> None:
    usual = finding_version("mfp-1", "telea")
    assert usual == finding_version("mfp-1", "telea", LayersConfig()) == "mfp-1-telea"
    assert finding_version("mfp-1", "telea", LayersConfig(max_rounds=0)) == "mfp-1-telea-0sl"
    assert finding_version("mfp-1-bf16", "telea") == usual


def test_the_version_names_the_weights_of_an_inpainter_that_has_some(tmp_path: Path) -> None:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    finders = Finders(temporary_settings(), models)
    file_name = WEIGHTS_SOURCES["lama"].file_name
    assert finders.version("mfp", "lama", "3") == f"disks-1-lama-{Path(file_name).stem}"
