"""`mfp weights convert`: a published checkpoint into one of ours."""

from __future__ import annotations

import argparse

from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import facts, note_replaced, show
from backend.environment.readers import file, new_file


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("convert", "turn a published checkpoint into one of ours", _convert)
    parser.add_argument(
        "published",
        type=of(file()),
        metavar="FILE",
        help="published, .pth; or ours, to make it smaller",
    )
    parser.add_argument(
        "--out",
        type=of(new_file()),
        required=True,
        metavar="FILE.safetensors",
        help="our checkpoint",
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=(32, 16, 8),
        default=32,
        metavar="N",
        help="of kernels: 32, 16 or 8",
    )
    add_json(parser, takes_file=False)


def _convert(options: argparse.Namespace) -> None:
    from mfp_model.checkpoints.checkpoint import load_checkpoint, save_checkpoint
    from mfp_model.checkpoints.published import load_published

    is_ours = options.published.suffix == ".safetensors"
    checkpoint = (load_checkpoint if is_ours else load_published)(options.published)
    note_replaced(options.out)
    save_checkpoint(checkpoint, options.out, bits=options.bits)
    n_parameters = sum(tensor.numel() for tensor in checkpoint.weights.values())
    report = {"backbone": checkpoint.config.backbone, "numbers": n_parameters}
    report["bytes"] = options.out.stat().st_size
    show(options, report, facts({"file": str(options.out), **report}))
