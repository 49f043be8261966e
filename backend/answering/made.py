"""A mask on its way to an answer."""

from __future__ import annotations

from dataclasses import dataclass

from backend.answering.edit import Edit
from backend.label_studio.region_request import RegionRequest
from mfp_model.masks.runs import MaskRuns
from mfp_model.segmenter import Segmenter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A mask, and what it came of.

    Attributes:
        region: The object and all its prompts.
        edit: What was there already.
        runs: The mask.
        score: 0..1.
        segmenter: What made it.
        hangs_on_page: It is another one in another annotation.
    """

    region: RegionRequest
    edit: Edit
    runs: MaskRuns
    score: float
    segmenter: Segmenter
    hangs_on_page: bool
