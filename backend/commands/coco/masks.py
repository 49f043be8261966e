"""`mfp coco masks`: a COCO folder's boxes as masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from backend.commands.boxes import boxes_segmenter, mask_maker, show_summary
from backend.commands.options import add_checkpoint, add_device
from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import note_replaced
from backend.environment.readers import folder


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("masks", "make masks of a COCO folder's boxes", _masks, goes_on=True)
    parser.add_argument(
        "--coco",
        type=Path,
        required=True,
        metavar="DIR",
        help="COCO folder, or its annotations.json; only its boxes count",
    )
    parser.add_argument(
        "--out", type=of(folder(may_be_new=True)), required=True, metavar="DIR", help="COCO folder"
    )
    add_checkpoint(parser)
    add_device(parser)
    add_json(parser)


def _masks(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from backend.finding.boxed_folder import check_out, mask_folder
    from mfp_model.data.coco import read_coco

    data = read_coco(options.coco, on_problem=options.problems.tell, wants_boxes=True)
    check_out(options.out)
    note_replaced(options.out)
    make, version = mask_maker(boxes_segmenter(options.checkpoint, options.device))
    with tqdm(total=len(data.images), unit="image") as bar:
        summary = mask_folder(
            make,
            data,
            options.out,
            version=version,
            max_megapixels=options.settings.max_megapixels,
            report=bar.update,
        )
    show_summary(options, summary)
