"""The code's part of the model version is raised whenever masks change."""

from __future__ import annotations

import json

import pytest

from tests.parity import answers


@pytest.mark.skipif(not answers.is_exact(), reason="masks are recorded in float32")
def test_the_same_number_and_weights_never_give_another_mask() -> None:
    recorded = json.loads(answers.RECORDED.read_text())
    assert answers.key() in recorded, (
        "new weights, or a new number: record their masks by `python -m tests.parity.answers`"
    )
    assert answers.masks() == recorded[answers.key()], (
        "the masks changed: raise ANSWERS in mfp_model/weights/versions.py, and record them by "
        "`python -m tests.parity.answers`"
    )
