"""`mfp evaluate --sessions`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from backend.commands.options import PROBLEMS_CODE, show_problems

if TYPE_CHECKING:
    from mfp_model.segmenter import Segmenter


def replay(options: argparse.Namespace, segmenter: Segmenter) -> int:
    """Print the scores of a segmenter on recorded clicks, and return the exit code."""
    from itertools import islice

    from tqdm import tqdm

    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_access
    from backend.recording.objects import read_objects
    from backend.recording.targets import targets_of
    from backend.settings import Settings
    from backend.storage.data_folder import DataFolder
    from mfp_model.evaluation.recorded import score_recorded
    from mfp_model.files import write_atomically

    settings = Settings.from_env(options.environment)
    problems: list[str] = []
    targets = targets_of(
        read_objects(DataFolder(settings.data_dir).sessions_file, project=options.project),
        image_sources(settings, label_studio_access(settings)),
        max_megapixels=settings.max_megapixels,
        problems=problems,
    )
    scores = score_recorded(segmenter, tqdm(islice(targets, options.limit), unit="object"))
    report = {
        **dataclasses.asdict(scores),
        "segmenter": options.segmenter,
        "checkpoint": segmenter.version,
    }
    show_problems(problems, len(problems))
    if options.json:
        write_atomically(options.json, json.dumps(report).encode())
    print(json.dumps(report))
    return PROBLEMS_CODE if problems else 0
