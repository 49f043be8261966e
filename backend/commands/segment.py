"""`mfp segment`: clicks or a box on an image file -> a mask file."""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.options import (
    add_segmenter_options,
    check_segmenter_options,
    segmenter_of,
)
from backend.commands.parsing import Commands, add_json, box, click, of
from backend.commands.printing import note, show, value_text, write_file
from backend.environment.readers import file, new_file
from mfp_model.errors import ConfigError, ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPAQUE = 128


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("segment", "segment an object in an image file", _segment)
    parser.add_argument("image", type=of(file()), metavar="IMAGE", help="a photo")
    parser.add_argument(
        "--click",
        action="append",
        type=click,
        default=[],
        metavar="X,Y,+|-",
        help="pixels from the left and the top, + for object, - for not; repeatable",
    )
    parser.add_argument(
        "--box", type=box, metavar="X,Y,X,Y", help="two opposite corners; clicks correct its answer"
    )
    parser.add_argument(
        "--mask",
        type=of(file()),
        metavar="PRIOR.png",
        help="a mask to be changed near the clicks and nowhere else",
    )
    parser.add_argument(
        "--out",
        type=of(new_file()),
        required=True,
        metavar="MASK.png",
        help="the mask, white on black",
    )
    add_segmenter_options(parser)
    add_json(parser, takes_file=False)


def _segment(options: argparse.Namespace) -> None:
    check_segmenter_options(options)
    given = ([options.box] if options.box else []) + options.click
    if not given:
        raise ConfigError("expected --click or --box")
    import numpy as np
    from PIL import Image

    from mfp_model.prompts import Box, Click, check_prompts

    if options.out.exists() and options.out.samefile(options.image):
        raise ConfigError(f"--out {options.out}: is the image itself, expected another file")
    max_megapixels = options.settings.max_megapixels
    image = _pixels(options.image, max_megapixels=max_megapixels)
    height, width = image.shape[:2]
    prompts = check_prompts(given, height=height, width=width, kinds=(Click, Box))
    prior = None
    if options.mask:
        prior = _mask(options.mask, (height, width), max_megapixels=max_megapixels)
    segmenter = segmenter_of(options)
    started = time.perf_counter()
    mask = segmenter.segment(image, prompts, prior).mask
    elapsed_ms = (time.perf_counter() - started) * 1000
    picture = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(picture, format="PNG")
    write_file(options.out, picture.getvalue())
    area = int(mask.sum())
    if not area:
        note("the mask is empty; click on the middle of the object")
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 1e6
    report = {"width": width, "height": height, "area_px": area}
    line = (
        f"{options.out}: {width} x {height} pixels, {value_text(area)} of them object "
        f"({area / mask.size:.1%}), in {elapsed_ms:.0f} ms"
    )
    show(options, {**report, "ms": round(elapsed_ms, 1), "peak_mb": round(peak_mb)}, [line])


def _pixels(path: Path, *, max_megapixels: float) -> NDArray[np.uint8]:
    """The image in a file, which errors name."""
    from backend.images.decoding import decode_image

    try:
        return decode_image(path.read_bytes(), max_megapixels=max_megapixels)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def _mask(path: Path, shape: tuple[int, int], *, max_megapixels: float) -> NDArray[np.bool_]:
    """White, or any light colour, is the object."""
    pixels = _pixels(path, max_megapixels=max_megapixels)
    is_object: NDArray[np.bool_] = pixels.mean(axis=2) >= _OPAQUE
    if is_object.shape != shape:
        (height, width), (expected_height, expected_width) = is_object.shape, shape
        raise ImageError(
            f"--mask {path}: has {width}x{height} pixels, expected the image's "
            f"{expected_width}x{expected_height}"
        )
    if not is_object.any():  # as where the object is 1 and not 255: nothing would be kept of it
        raise ImageError(
            f"--mask {path}: no pixel is lighter than {int(pixels.max())}, expected the object "
            f"from {_OPAQUE} on, or no --mask for none"
        )
    return is_object
