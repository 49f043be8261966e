"""The code's part of the model version is raised whenever masks change."""

from __future__ import annotations

import json

import pytest

from mfp_model.masks.rle import decode_segmentation
from tests.parity import answers

pytestmark = pytest.mark.slow

_SHARE = 1e-4  # of the pixels, that may differ on another machine
_CHANGED = (
    "the masks changed: raise ANSWERS in mfp_model/weights/versions.py, and record them by "
    "`python -m tests.parity.answers`"
)


def test_the_same_number_and_weights_never_give_another_mask() -> None:
    recorded = json.loads(answers.RECORDED.read_text())
    assert answers.key() in recorded, (
        "new weights, or a new number: record their masks by `python -m tests.parity.answers`"
    )
    entry = recorded[answers.key()]
    if entry["machine"] == answers.machine():
        assert answers.present() == entry, _CHANGED
        return
    masks = answers.masks()
    assert masks.keys() == entry["masks"].keys(), _CHANGED
    for name, mask in masks.items():
        height, width = mask.shape
        rle = {"size": [height, width], "counts": entry["masks"][name]}
        differing = mask ^ decode_segmentation(rle, height=height, width=width)
        assert differing.mean() <= _SHARE, f"{name}: {_CHANGED}"
