"""What the commands share that make masks of boxes."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.printing import facts, show

if TYPE_CHECKING:
    from backend.finding.project_boxes import BoxSummary, MaskInBox
    from mfp_model.segmenter import Segmenter


def boxes_segmenter(checkpoint: Path | None, device: str) -> Segmenter:
    """Return what makes the masks of boxes; loads torch.

    Raises:
        ConfigError: The weights know no boxes.
        CheckpointError: The file cannot be loaded.
    """
    from mfp_model.finding.boxes import check_knows_boxes
    from mfp_model.loading import load_segmenter

    segmenter = load_segmenter("mfp", checkpoint=checkpoint, device=device)
    check_knows_boxes(segmenter)
    return segmenter


def mask_maker(segmenter: Segmenter) -> tuple[MaskInBox, str]:
    """Return what makes the mask of a box, and the model version of such masks."""
    from mfp_model.finding.boxes import mask_in_box
    from mfp_model.weights.versions import without_precision

    return partial(mask_in_box, segmenter), f"{without_precision(segmenter.version)}-boxes"


def show_summary(options: argparse.Namespace, summary: BoxSummary) -> None:
    """Print what was done."""
    options.problems.tell(*summary.problems)
    figures = summary.figures()
    show(options, figures, facts(figures))
