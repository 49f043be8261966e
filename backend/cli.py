"""The command `mfp`. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
import time
from pathlib import Path

from mfp_model.errors import MfpError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        options.run(options)
    except MfpError as error:
        print(f"mfp {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mfp", description="Click on an object, get its mask.")
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="answer Label Studio")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=9090)
    serve.add_argument("--workers", type=int, default=1)
    serve.add_argument("--threads", type=int, default=8)
    serve.add_argument("--device", help="auto, cpu, cuda or cuda:N; default: MFP_DEVICE or auto")
    serve.set_defaults(run=_serve)

    segment = commands.add_parser("segment", help="segment an object in an image file")
    segment.add_argument("image", type=Path)
    segment.add_argument("--click", action="append", required=True, metavar="X,Y,+|-")
    segment.add_argument("--out", type=Path, required=True, metavar="MASK.png")
    _add_segmenter(segment)
    segment.set_defaults(run=_segment)

    evaluate = commands.add_parser("evaluate", help="clicks needed on a labelled folder")
    evaluate.add_argument("--format", choices=("grabcut", "davis", "coco"), required=True)
    evaluate.add_argument("--root", type=Path, required=True)
    evaluate.add_argument("--limit", type=int)
    evaluate.add_argument("--json", type=Path, metavar="FILE")
    _add_segmenter(evaluate)
    evaluate.set_defaults(run=_evaluate)

    train = commands.add_parser("train", help="train the compact network, resuming FILE.state")
    train.add_argument(
        "--train", action="append", required=True, metavar="DIR[:WEIGHT]", help="COCO folder"
    )
    train.add_argument("--out", type=Path, required=True, metavar="FILE")
    train.add_argument("--version", default="compact", help="model version in the checkpoint")
    train.add_argument("--samples", type=int, default=60_000)
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=_train)
    return parser


def _add_segmenter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--segmenter", default="mfp")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE")
    parser.add_argument("--device", default="auto")


def _serve(options: argparse.Namespace) -> None:
    from backend.serve import serve
    from backend.settings import Settings

    settings = Settings.from_env(os.environ)
    if options.device:
        settings = dataclasses.replace(settings, device=options.device)
    serve(
        settings,
        host=options.host,
        port=options.port,
        n_workers=options.workers,
        n_threads=options.threads,
    )


def _segment(options: argparse.Namespace) -> None:
    import numpy as np
    from PIL import Image

    from backend.image_decoding import decode_image
    from backend.settings import Settings
    from mfp_model.clicks import parse_click
    from mfp_model.errors import ImageError
    from mfp_model.segmenters import load_segmenter

    clicks = [parse_click(text) for text in options.click]
    try:
        content = options.image.read_bytes()
    except OSError as error:
        raise ImageError(f"{options.image}: {error.strerror}") from None
    settings = Settings.from_env(os.environ)
    image = decode_image(content, max_megapixels=settings.max_megapixels)
    segmenter = load_segmenter(
        options.segmenter, checkpoint=options.checkpoint, device=options.device
    )
    started = time.perf_counter()
    mask = segmenter.segment(image, clicks).mask
    elapsed_ms = (time.perf_counter() - started) * 1000
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(options.out, format="PNG")
    height, width = mask.shape
    answer = {"width": width, "height": height, "area_px": int(mask.sum())}
    print(json.dumps({**answer, "ms": round(elapsed_ms, 1)}))


def _evaluate(options: argparse.Namespace) -> None:
    from itertools import islice

    from tqdm import tqdm

    from mfp_model.evaluation.datasets import READERS
    from mfp_model.evaluation.protocol import click_object, score
    from mfp_model.segmenters import load_segmenter

    segmenter = load_segmenter(
        options.segmenter, checkpoint=options.checkpoint, device=options.device
    )
    targets = islice(READERS[options.format](options.root), options.limit)
    results = [click_object(segmenter, target) for target in tqdm(targets, unit="object")]
    report = {
        **dataclasses.asdict(score(results)),
        "segmenter": options.segmenter,
        "checkpoint": segmenter.version,
    }
    text = json.dumps(report)
    if options.json:
        from mfp_model.checkpoint import write_atomically

        write_atomically(options.json, text.encode())
    print(text)


def _train(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from mfp_model.network import NetworkConfig
    from mfp_model.training.config import TrainingConfig
    from mfp_model.training.loop import train

    folders = []
    for text in options.train:
        root, _, weight = text.rpartition(":")
        folders.append((Path(root), float(weight)) if root else (Path(text), 1.0))
    config = TrainingConfig(folders=tuple(folders), n_samples=options.samples, seed=options.seed)
    with tqdm(total=config.n_samples, unit="image") as bar:

        def report(step: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{step['loss']:.3f}", iou=f"{step['iou']:.2f}")
            bar.update(int(step["n_seen"]) - bar.n)

        train(config, NetworkConfig(), options.out, version=options.version, report=report)


if __name__ == "__main__":
    sys.exit(main())
