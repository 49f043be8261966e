"""`mfp segment`: clicks on an image file -> a mask file."""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import add_segmenter_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPAQUE = 128


def add_segment(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser("segment", help="segment an object in an image file")
    parser.add_argument("image", type=Path)
    parser.add_argument("--click", action="append", required=True, metavar="X,Y,+|-")
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="PRIOR.png",
        help="a mask to be changed near the clicks and nowhere else",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MASK.png")
    add_segmenter_options(parser)
    parser.set_defaults(run=_segment)


def _segment(options: argparse.Namespace) -> None:
    import numpy as np
    from PIL import Image

    from backend.images.decoding import decode_image
    from backend.settings import Settings
    from mfp_model.loading import load_segmenter
    from mfp_model.prompts import parse_click

    clicks = [parse_click(text) for text in options.click]
    settings = Settings.from_env(options.environment)
    image = decode_image(_content(options.image), max_megapixels=settings.max_megapixels)
    prior = None
    if options.mask:
        prior = _mask(_content(options.mask), max_megapixels=settings.max_megapixels)
    segmenter = load_segmenter(
        options.segmenter,
        checkpoint=options.checkpoint,
        constants=options.constants,
        device=options.device,
        engine=options.engine,
    )
    started = time.perf_counter()
    mask = segmenter.segment(image, clicks, prior).mask
    elapsed_ms = (time.perf_counter() - started) * 1000
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(options.out, format="PNG")
    height, width = mask.shape
    answer = {"width": width, "height": height, "area_px": int(mask.sum())}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({**answer, "ms": round(elapsed_ms, 1), "peak_mb": round(peak_mb)}))


def _content(path: Path) -> bytes:
    from mfp_model.errors import ImageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None


def _mask(content: bytes, *, max_megapixels: float) -> NDArray[np.bool_]:
    """White, or any light colour, is the object."""
    from backend.images.decoding import decode_image

    pixels = decode_image(content, max_megapixels=max_megapixels)
    is_object: NDArray[np.bool_] = pixels.mean(axis=2) >= _OPAQUE
    return is_object
