"""Masks, by the number of the code that made them and the weights it had.

    python -m tests.parity.answers

writes those of today into `answers.json`, beside what is there. Where the same number and the same
weights have other masks already, it refuses: raise `ANSWERS` in `mfp_model/weights/versions.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backend.server.app import create_app
from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.finding.finders import ClickFinder
from mfp_model.finding.inpainters import OpenCvInpainter
from mfp_model.finding.layers import LayersConfig, find_layers
from mfp_model.loading import dressed, load_segmenter
from mfp_model.masks.rle import encode_mask
from mfp_model.prompts import Box, Click, Stroke
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.versions import ANSWERS
from tests.fakes import temporary_settings

RECORDED = Path(__file__).parent / "answers.json"
_ROOT = Path(__file__).parents[2]
_PHOTOS = _ROOT / "backend" / "demo" / "photos"
_CLICK = _ROOT / "tests" / "data" / "captures" / "predict_first_click.json"
Mask = NDArray[np.bool_]
_SMALL = (240, 160)  # of the photo on which objects are found without clicks


def key() -> str:
    """Return the number of the code and the shipped weights: `1 lite2-3-74db070b`."""
    return f"{ANSWERS} {load_checkpoint(DEFAULT_WEIGHTS).identity}"


def machine() -> str:
    """Return what floating point depends on: on another, some pixels in 100,000 may differ."""
    packages = (f"{name} {version(name)}" for name in ("torch", "opencv-python-headless", "numpy"))
    return ", ".join((*packages, torch.backends.cpu.get_cpu_capability()))


def masks() -> dict[str, Mask]:
    """Return masks by what led to them."""
    mfp, cut = (load_segmenter(x, device="cpu", engine="pytorch-f32") for x in ("mfp", "graph-cut"))
    refined, coffee = dressed("mfp-refined", mfp), _photo("coffee")
    clicks = [Click(x=300, y=200), Click(x=180, y=90), Click(x=20, y=30, is_positive=False)]
    height, width = coffee.shape[:2]
    earlier = np.zeros((height, width), dtype=np.bool_)
    earlier[80:300, 160:420] = True
    box = Box(left=150, top=60, right=450, bottom=330)
    counts = encode_mask(earlier)["counts"]
    stroke = Stroke(x=290, y=190, is_positive=True, height=height, width=width, counts=counts)
    made = {f"{n} clicks": mfp.segment(coffee, clicks[:n]).mask for n in (1, 2, 3)}
    made["a box"] = mfp.segment(coffee, [box, *clicks[1:]]).mask
    made["an edited mask"] = mfp.segment(coffee, clicks[1:], earlier).mask
    made["refined"] = refined.segment(coffee, clicks).mask
    made["a graph cut"] = cut.segment(coffee, clicks).mask
    made["a stroke"] = cut.segment(coffee, [stroke, *clicks[2:]]).mask
    small = np.asarray(Image.fromarray(_photo("bowl")).resize(_SMALL))
    finder, loop = ClickFinder(mfp, grid=2), LayersConfig(max_rounds=1)
    layers = find_layers(small, finder, OpenCvInpainter("telea"), loop)
    assert layers, "expected objects"
    return made | {f"object {n}": layer.whole.mask for n, layer in enumerate(layers)}


def rows(shape: str) -> str:
    """Return a digest of what the server answers to a click, from the photo's bytes to the rows."""
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
    client = create_app(temporary_settings(device="cpu", engine="pytorch-f32")).test_client()
    result = client.post("/predict", json=body).json["results"][0]["result"]
    assert result, "expected a mask"
    values = json.dumps([row["value"] for row in result], sort_keys=True)
    return hashlib.sha256(values.encode()).hexdigest()


def present() -> dict[str, Any]:
    """Return what is recorded, as it is now."""
    return {
        "machine": machine(),
        "masks": {name: encode_mask(mask)["counts"] for name, mask in masks().items()},
        "rows": {shape: rows(shape) for shape in ("brush", "polygons")},
    }


def _photo(name: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(_PHOTOS / f"{name}.jpg").convert("RGB"))


def _write() -> None:
    recorded: dict[str, Any] = json.loads(RECORDED.read_text())
    new = present()
    if recorded.get(key(), new) != new:
        raise SystemExit(
            f"{RECORDED.name}: {key()!r} has other masks already; raise ANSWERS in "
            "mfp_model/weights/versions.py, and run this again"
        )
    RECORDED.write_text(json.dumps({**recorded, key(): new}, indent=1) + "\n")


if __name__ == "__main__":
    _write()
