"""Interactive segmentation by clicks: MFP and the segmenters that ship beside it.

Glossary, one word per thing:

- click: `Click(x=, y=, is_positive=)`, x right, y down, in pixels of the original image.
  The pixel in column c and row r covers x in [c, c + 1), y in [r, r + 1).
- stroke: `Stroke`, what a brush painted to say "object" or "not object".
- box: `Box(left=, top=, right=, bottom=)`, a rectangle around the object, in the same pixels.
- prompt: a click, a stroke or a box.
- prompts: a tuple of them, oldest first; the order is the index.
- click map: `[2, H, W]`, disks around the positive clicks, then around the negative ones.
- probability map: float32 `[H, W]` in 0..1, how likely each pixel belongs to the object.
- previous probability map: the one from the round before, zeros before the first click.
- modulation: pushing the previous probability map towards the newest click's sign around it.
- modulated probability map: what the modulation returns.
- logits: what the network returns, before the sigmoid.
- prior mask: one that was there before the first prompt, to be edited; the first previous map.
- round: one prompt's worth of work, from previous to next probability map.
- mask: bool `[H, W]`, a probability map after the threshold, never before.
- runs: the same mask by the stretches of its pixels along each row.
- polygon: the outline of one connected part of a mask, float64 `[n, 2]`, x and y in pixels.
- image frame: pixels of the original image. network frame: pixels of the network's input.
- window: what the network looks at in a round, a rectangle of whole pixels in the image frame.
- bounds: the rectangle of whole pixels around a mask.
- segmenter: image + prompts + previous prediction -> prediction.
- seed: a pixel whose label a click or a stroke fixes.
- cut: the cheapest boundary between seeds, and the mask within it.
- finder: image -> objects, without a person's clicks. order: 0 for an object in front, k for one
  that was seen whole after k removals. hidden: of order 1 or more.
- backbone: the part of the network that turns its inputs into features.
- engine: what computes a network's logits. plain: its network in PyTorch, float32.
- graded: what gives loss in training; a sample is graded in one round or in every one.
- checkpoint: a file. weights: the tensors in it. version: the name of both in answers.
- crowd: COCO's group of objects, which is no object: nothing is learned of it, nothing measured.
- problem: what was left out because it is damaged, named; whoever asked is told.
- corrections: masks that people made or accepted, to learn from. held out: not learned from.
- candidate: weights that are being judged. general set: what they must not have forgotten.
- replay: what the base answers elsewhere, learned along with the corrections.
- promoted: serving, globally or one project. Not promoted weights are kept.
- NoC@90: mean number of clicks until the IoU reaches 0.90.

Importing this package loads neither torch nor OpenCV; the names below load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfp_model.data.pictures import read_image
    from mfp_model.errors import MfpError
    from mfp_model.loading import load_segmenter
    from mfp_model.masks.rle import stroke_of
    from mfp_model.prediction import Prediction
    from mfp_model.prompts import Box, Click, Stroke
    from mfp_model.segmenter import Segmenter

__all__ = [
    "Box",
    "Click",
    "MfpError",
    "Prediction",
    "Segmenter",
    "Stroke",
    "load_segmenter",
    "read_image",
    "stroke_of",
]

_HOME = {
    "Box": "mfp_model.prompts",
    "Click": "mfp_model.prompts",
    "MfpError": "mfp_model.errors",
    "Prediction": "mfp_model.prediction",
    "Segmenter": "mfp_model.segmenter",
    "Stroke": "mfp_model.prompts",
    "load_segmenter": "mfp_model.loading",
    "read_image": "mfp_model.data.pictures",
    "stroke_of": "mfp_model.masks.rle",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mfp_model' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
