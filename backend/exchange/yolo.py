"""A spool -> the folder that YOLO's segmentation is trained on: a text file for each image.

    data.yaml
    images/train/7-a.jpg    images/val/9-b.jpg
    labels/train/7-a.txt    labels/val/9-b.txt

A line is an object: its class, and its outline as x and y in shares of width and height. A hole and
a further part are joined to the outline by a cut of no width, as YOLO's own tools do it. These fill
the pixels on an outline, too, so it runs through the pixels at the mask's edge.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.exchange.spool import ReportWritten, Spool
from mfp_model.data.coco_layout import IMAGES
from mfp_model.files import write_atomically
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.outlines import filled, pixel_outlines
from mfp_model.masks.polygons import joined, n_holes
from mfp_model.masks.rle import decode_segmentation

_SPLITS = ("train", "val")
_DIGITS = 6  # a hundredth of a pixel on 10 000


def write_yolo(
    folder: Path,
    spool: Spool,
    labels: tuple[str, ...],
    report: ReportWritten,
    *,
    max_error_px: float,
    val_share: float,
) -> dict[str, float]:
    """Write labels and `data.yaml`, and move the images to their split.

    Which tasks go into validation depends on their numbers alone, so that nearly all stay on their
    side as more come.

    Args:
        folder: The export's, its images in `images/`.
        spool: What was collected.
        labels: The classes, numbered from 0 on in this order.
        report: As in `Spool.by_image`.
        max_error_px: How far an outline may be from a mask's edge.
        val_share: The share of the tasks that go into validation, 0..1.

    Returns:
        Objects with holes, of several parts and in crowds, which are left out; the pixels that
        cuts fill; the least and the mean IoU of the outlines, filled as YOLO's tools do it but
        without cuts, with their masks; images in each split.
    """
    splits = _splits([image["label_studio"]["task"] for image in spool.images()], val_share)
    counts, ious = Counter[str](), list[float]()
    for image, objects in spool.by_image(report):
        split, name = splits[image["label_studio"]["task"]], Path(image["file_name"])
        lines = []
        for label, entry in objects:
            if entry["iscrowd"]:
                counts["crowds left out"] += 1
            else:
                outline = _outline(image, entry, max_error_px, counts, ious)
                lines.append(f"{labels.index(label)} {_numbers(outline)}\n")
        text = "".join(lines)
        write_atomically(folder / "labels" / split / f"{name.stem}.txt", text.encode())
        _move(folder / IMAGES / name, folder / IMAGES / split / name)
        counts[f"images in {split}"] += 1
    _write_yaml(folder, labels, used=set(splits.values()))
    if not ious:
        return dict(counts)
    return {**counts, "outline iou least": min(ious), "outline iou mean": float(np.mean(ious))}


def gather_images(folder: Path) -> None:
    """Move the images of an export that was cut back to where they are collected."""
    for split in _SPLITS:
        for path in (folder / IMAGES / split).glob("*"):
            path.rename(folder / IMAGES / path.name)
        if (folder / IMAGES / split).is_dir():
            (folder / IMAGES / split).rmdir()


def _outline(
    image: Mapping[str, Any],
    entry: Mapping[str, Any],
    max_error_px: float,
    counts: Counter[str],
    ious: list[float],
) -> NDArray[np.float64]:
    """An object's one outline `[n, 2]`, in shares of the image; what it lacks is counted."""
    height, width = image["height"], image["width"]
    mask = decode_segmentation(entry["segmentation"], height=height, width=width)
    outlines = pixel_outlines(mask, max_error_px=max_error_px)
    outline = joined(outlines)
    drawn = filled(outlines, height=height, width=width)
    cut = filled([outline], height=height, width=width) & ~drawn
    holes = n_holes(mask)
    counts["objects with holes"] += holes > 0
    counts["objects of several parts"] += len(outlines) - holes > 1
    counts["pixels filled by cuts"] += int(np.count_nonzero(cut))
    ious.append(mask_iou(drawn, mask))
    return np.asarray(outline / np.array([width, height]))


def _splits(tasks: Iterable[int], val_share: float) -> dict[int, str]:
    """The split of each task, whose pages stay together."""
    shares = {task: _share(str(task)) for task in tasks}
    held_out = {task for task, share in shares.items() if share < val_share}
    if val_share > 0 and len(shares) > 1:  # YOLO wants some of each
        first, *_, last = sorted(shares, key=lambda task: shares[task])
        held_out = (held_out | {first}) - {last}
    return {task: _SPLITS[task in held_out] for task in shares}


def _share(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def _numbers(outline: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.{_DIGITS}f}" for value in np.clip(outline, 0, 1).ravel())


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(source):  # a link to a file that is gone is moved, too
        source.rename(target)


def _write_yaml(folder: Path, labels: tuple[str, ...], *, used: set[str]) -> None:
    """Paths are relative to the file; where nothing is held out, validation is the training."""
    val = "val" if "val" in used else "train"
    lines = [f"train: {IMAGES}/train", f"val: {IMAGES}/{val}", "names:"]
    lines += [f"  {number}: {_quoted(label)}" for number, label in enumerate(labels)]
    write_atomically(folder / "data.yaml", "".join(f"{line}\n" for line in lines).encode())


def _quoted(text: str) -> str:
    """A text as YAML, in ASCII; JSON's halves of a letter would stay halves there."""
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'
