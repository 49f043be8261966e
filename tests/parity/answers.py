"""Digests of masks, by the number of the code that made them and the weights it had.

    python -m tests.parity.answers

writes those of today into `answers.json`, beside what is there. Where the same number and the same
weights have other masks already, it refuses: raise `ANSWERS` in `mfp_model/weights/versions.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.server.app import create_app
from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.finding.finders import ClickFinder
from mfp_model.finding.inpainters import OpenCvInpainter
from mfp_model.finding.layers import LoopConfig, find_layers
from mfp_model.loading import dressed, load_segmenter
from mfp_model.masks.rle import encode_mask
from mfp_model.prompts import Box, Click, Stroke
from mfp_model.segmenter import Segmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.versions import ANSWERS
from tests.fakes import temporary_settings

RECORDED = Path(__file__).parent / "answers.json"
_ROOT = Path(__file__).parents[2]
_PHOTOS = _ROOT / "backend" / "demo" / "photos"
_CLICK = _ROOT / "tests" / "data" / "captures" / "predict_first_click.json"
_SMALL = (240, 160)  # of the photo on which objects are found without clicks


def key() -> str:
    """Return the number of the code and the shipped weights: `1 lite2-1-7c2e419b`."""
    return f"{ANSWERS} {load_checkpoint(DEFAULT_WEIGHTS).identity}"


def is_exact() -> bool:
    """Whether this machine computes in float32, as the recorded masks were."""
    return not MfpSegmenter.load(device="cpu", engine="pytorch").engine.is_half


def masks() -> dict[str, str]:
    """Return a digest of each mask, by what led to it."""
    return {name: hashlib.sha256(content).hexdigest()[:16] for name, content in _contents()}


def _contents() -> Iterator[tuple[str, bytes]]:
    mfp = load_segmenter("mfp", device="cpu", engine="pytorch")
    coffee = _photo("coffee")
    clicks = [Click(x=300, y=200), Click(x=180, y=90), Click(x=20, y=30, is_positive=False)]
    for n_clicks in (1, 2, 3):
        yield f"{n_clicks} clicks", _mask(mfp, coffee, clicks[:n_clicks])
    yield "a box", _mask(mfp, coffee, [Box(left=150, top=60, right=450, bottom=330), *clicks[1:]])
    earlier = np.zeros(coffee.shape[:2], dtype=np.bool_)
    earlier[80:300, 160:420] = True
    counts = encode_mask(earlier)["counts"]
    height, width = earlier.shape
    stroke = Stroke(x=290, y=190, is_positive=True, height=height, width=width, counts=counts)
    yield "a stroke", _mask(load_segmenter("graph-cut"), coffee, [stroke, *clicks[2:]])
    yield "an edited mask", mfp.segment(coffee, clicks[1:], earlier).mask.tobytes()
    yield "refined", _mask(dressed("mfp-refined", mfp), coffee, clicks)
    yield "a graph cut", _mask(load_segmenter("graph-cut"), coffee, clicks)
    small = np.asarray(Image.fromarray(_photo("bowl")).resize(_SMALL))
    finder, loop = ClickFinder(mfp, grid=2), LoopConfig(max_rounds=1)
    layers = find_layers(small, finder, OpenCvInpainter("telea"), loop)
    assert layers, "expected objects"
    yield "found objects", b"".join(layer.found.mask.tobytes() for layer in layers)
    for shape in ("brush", "polygons"):
        yield f"rows: {shape}", _rows(shape)


def _photo(name: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(_PHOTOS / f"{name}.jpg").convert("RGB"))


def _mask(segmenter: Segmenter, image: NDArray[np.uint8], prompts: list[Any]) -> bytes:
    return segmenter.segment(image, prompts).mask.tobytes()


def _rows(shape: str) -> bytes:
    """What the server answers to a click: from the photo's bytes to the rows on the page."""
    body = json.loads(_CLICK.read_text())["json"]
    content = base64.b64encode((_PHOTOS / "cat.jpg").read_bytes()).decode()
    body["tasks"][0]["data"]["image"] = f"data:image/jpeg;base64,{content}"
    if shape == "polygons":
        body["label_config"] = (_ROOT / "label_config" / "one_class_polygons.xml").read_text()
    height, width = _photo("cat").shape[:2]
    for point in body["params"]["context"]["result"]:
        point |= {"original_width": width, "original_height": height}
        if shape == "polygons":
            point |= {"type": "keypoint", "from_name": "click"}
    client = create_app(temporary_settings(device="cpu", engine="pytorch")).test_client()
    rows = client.post("/predict", json=body).json["results"][0]["result"]
    assert rows, "expected a mask"
    return json.dumps([row["value"] for row in rows], sort_keys=True).encode()


def _write() -> None:
    recorded: dict[str, dict[str, str]] = json.loads(RECORDED.read_text())
    new = masks()
    if recorded.get(key(), new) != new:
        raise SystemExit(
            f"{RECORDED.name}: {key()!r} has other masks already; raise ANSWERS in "
            "mfp_model/weights/versions.py, and run this again"
        )
    RECORDED.write_text(json.dumps({**recorded, key(): new}, indent=1) + "\n")


if __name__ == "__main__":
    _write()
