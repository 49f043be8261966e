"""A spool -> pictures of masks, as PASCAL VOC has them: a class or an object is a colour.

    classes/7-a.png     0 for background, 1 for the first label, ...
    instances/7-a.png   0 for background, 1 for the image's first object, ...
    labels.txt          the classes' numbers and names

Both are PNG of palette colours, whose values are the numbers. Where more than 254 are needed, they
are grey PNG of 16 bits. 255 is no number in either, since VOC's readers leave it out.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.exchange.spool import ReportWritten, Spool
from mfp_model.files import write_atomically
from mfp_model.masks.rle import decode_segmentation

_VOID = 255  # what does not count for VOC's readers


def write_pictures(
    folder: Path, spool: Spool, labels: tuple[str, ...], report: ReportWritten
) -> dict[str, float]:
    """Write a picture of classes and one of instances for each image.

    Of objects that overlap the smaller one is in front.

    Args:
        folder: The export's.
        spool: What was collected.
        labels: The classes, numbered from 1 on in this order, without 255.
        report: As in `Spool.by_image`.

    Returns:
        Pixels of objects that others cover, objects that are covered whole, objects in crowds,
        which are left out, and pictures of 16 bits.
    """
    counts: Counter[str] = Counter()
    for path in (folder / "classes", folder / "instances"):
        path.mkdir(exist_ok=True)
    for image, entries in spool.by_image(report):
        objects = [(_number(labels.index(label)), entry) for label, entry in entries]
        _draw(folder, image, objects, counts)
    text = "".join(f"{_number(index)}\t{label}\n" for index, label in enumerate(labels))
    write_atomically(folder / "labels.txt", text.encode())
    return dict(counts)


def _draw(
    folder: Path,
    image: dict[str, Any],
    objects: list[tuple[int, dict[str, Any]]],
    counts: Counter[str],
) -> None:
    shape = (image["height"], image["width"])
    classes, instances = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    singles = [(kind, entry) for kind, entry in objects if not entry["iscrowd"]]
    counts["crowds left out"] += len(objects) - len(singles)
    numbered = [(_number(index), *pair) for index, pair in enumerate(singles)]
    for number, kind, entry in sorted(numbered, key=lambda row: -row[2]["area"]):
        mask = decode_segmentation(entry["segmentation"], height=shape[0], width=shape[1])
        counts["covered pixels"] += int(np.count_nonzero(instances[mask]))
        classes[mask], instances[mask] = kind, number
    seen = np.unique(instances)
    counts["objects covered whole"] += len(singles) - int(np.count_nonzero(seen))
    name = f"{Path(image['file_name']).stem}.png"
    counts["pictures of 16 bits"] += _save(folder / "classes" / name, classes)
    counts["pictures of 16 bits"] += _save(folder / "instances" / name, instances)


def _number(index: int) -> int:
    """The number of a class or an object, whose index counts from 0: all but 0 and 255."""
    return index + 1 if index + 1 < _VOID else index + 2


def _save(path: Path, numbers: NDArray[np.uint16]) -> bool:
    """Write a picture, and return whether it needs 16 bits."""
    if int(numbers.max(initial=0)) > _VOID:
        Image.fromarray(numbers).save(path, "PNG")
        return True
    picture = Image.fromarray(numbers.astype(np.uint8))
    picture.putpalette(palette().tobytes())
    picture.save(path, "PNG")
    return False


def palette() -> NDArray[np.uint8]:
    """Return PASCAL VOC's colours, uint8 `[256, 3]`: the bits of a number, spread over a colour."""
    numbers: NDArray[np.int64] = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((numbers >> channel) & 1) << (7 - bit)).astype(np.uint8)
        numbers = numbers >> 3
    return colours
