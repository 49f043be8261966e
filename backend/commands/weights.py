"""`mfp convert`, `mfp parity` and `mfp fetch-weights`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_convert(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp convert`."""
    parser = commands.add_parser("convert", help="a published checkpoint into one of ours")
    parser.add_argument(
        "published", type=Path, metavar="FILE", help="published, .pth; or ours, to make it smaller"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors")
    parser.add_argument(
        "--bits", type=int, choices=(32, 16, 8), default=32, help="of kernels; default: 32"
    )
    parser.set_defaults(run=_convert)


def add_parity(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp parity`."""
    parser = commands.add_parser("parity", help="logits against recorded ones")
    parser.add_argument("--published", type=Path, required=True, metavar="FILE.pth")
    parser.add_argument("--vectors", type=Path, required=True, metavar="FILE.npz")
    parser.set_defaults(run=_parity)


def add_fetch_weights(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp fetch-weights`."""
    from mfp_model.weights.sources import WEIGHTS_SOURCES

    parser = commands.add_parser("fetch-weights", help="weights that others publish")
    parser.add_argument("name", choices=WEIGHTS_SOURCES, help="see the README's table")
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: the cache directory")
    parser.add_argument("--offline", action="store_true", help="only look, download nothing")
    parser.set_defaults(run=_fetch)


def _convert(options: argparse.Namespace) -> None:
    from mfp_model.checkpoints.checkpoint import load_checkpoint, save_checkpoint
    from mfp_model.checkpoints.published import load_published

    is_ours = options.published.suffix == ".safetensors"
    checkpoint = (load_checkpoint if is_ours else load_published)(options.published)
    save_checkpoint(checkpoint, options.out, bits=options.bits)
    n_parameters = sum(tensor.numel() for tensor in checkpoint.weights.values())
    answer = {"backbone": checkpoint.config.backbone, "numbers": n_parameters}
    print(json.dumps({**answer, "bytes": options.out.stat().st_size}))


def _parity(options: argparse.Namespace) -> None:
    from mfp_model.checkpoints.parity import parity

    print(json.dumps(parity(options.published, options.vectors)))


def _fetch(options: argparse.Namespace) -> None:
    from backend.models.downloads import fetch_weights
    from backend.settings import Settings
    from mfp_model.weights.sources import WEIGHTS_SOURCES

    folder = options.to or Settings.from_env(options.environment).cache_dir
    path = fetch_weights(options.name, folder, is_offline=options.offline)
    source = WEIGHTS_SOURCES[options.name]
    print(json.dumps({"path": str(path), "licence": source.licence, "use": source.use}))
