"""Corrected masks split by image: most to learn from, some held out to stop and to judge by."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfp_model.errors import DataError
from mfp_model.files import write_atomically

MIN_IMAGES = 4
_HELD_OUT_SHARE = 0.2
_CORRECTED_WEIGHT = 3.0
_UNTOUCHED_WEIGHT = 1.0  # a model's mask that a person accepted as it was
_N_HELD_OUT_OBJECTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """A split of corrected masks, as COCO folders.

    Attributes:
        train: Folder to learn from; its annotations have a `weight`.
        held_out: Folder to judge by, of other images, at most 40 objects.
        told: What goes into reports: images, objects, corrected objects, a digest of the data.
    """

    train: Path
    held_out: Path
    told: Mapping[str, Any]


def split_corrections(root: Path, out: Path) -> Corrections:
    """Split a COCO folder by image.

    Which images are held out depends on their names alone, so that nearly all stay on their
    side as more come.

    Args:
        root: The folder, `annotations.json` beside `images/`. Annotations that `mfp export-coco`
            wrote tell whether a person changed them.
        out: Where `train/` and `held-out/` go.

    Raises:
        DataError: It is no such folder, or has masks on fewer than 4 images.
    """
    data = _read(root / "annotations.json")
    images, by_image = data.images, data.by_image
    n_held_out = max(1, round(_HELD_OUT_SHARE * len(images)))
    judged = [one for row in images[:n_held_out] for one in by_image[row["id"]]]
    judged = sorted(judged, key=lambda one: _digest(str(one["id"])))[:_N_HELD_OUT_OBJECTS]
    learned = [
        {**one, "weight": _CORRECTED_WEIGHT if is_corrected(one) else _UNTOUCHED_WEIGHT}
        for row in images[n_held_out:]
        for one in by_image[row["id"]]
    ]
    _write(root, out / "train", images[n_held_out:], learned)
    _write(root, out / "held-out", images[:n_held_out], judged)
    told = {
        "digest": data.digest,
        "images": len(images),
        "held_out_images": n_held_out,
        "objects": len(learned),
        "corrected": sum(is_corrected(one) for one in learned),
        "held_out_objects": len(judged),
        "labels": _labels(data.names, [*learned, *judged]),
    }
    return Corrections(train=out / "train", held_out=out / "held-out", told=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """What a folder holds: images that have masks, in the order of splitting, and the masks."""

    digest: str
    images: list[dict[str, Any]]
    by_image: dict[int, list[dict[str, Any]]]
    names: dict[int, str]


def _read(path: Path) -> _Labelled:
    try:
        text = path.read_text()
        content = json.loads(text)
        by_image: dict[int, list[dict[str, Any]]] = {}
        for annotation in content["annotations"]:
            if not annotation.get("iscrowd"):
                by_image.setdefault(annotation["image_id"], []).append(annotation)
        images = [row for row in content["images"] if by_image.get(row["id"])]
        images.sort(key=lambda row: _digest(str(row["file_name"])))
        names = {row["id"]: str(row["name"]) for row in content.get("categories", [])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r}") from None
    if len(images) < MIN_IMAGES:
        raise DataError(f"{path}: masks on {len(images)} images, expected at least {MIN_IMAGES}")
    return _Labelled(digest=_digest(text), images=images, by_image=by_image, names=names)


def is_corrected(annotation: Mapping[str, Any]) -> bool:
    """Return whether a person drew or changed the mask; so it is taken where nothing is told."""
    told = annotation.get("label_studio")
    return not isinstance(told, dict) or told.get("origin") != "prediction"


def _labels(names: dict[int, str], annotations: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for annotation in annotations:
        name = names.get(annotation.get("category_id", -1), "-")
        found[name] = found.get(name, 0) + 1
    return found


def _write(
    root: Path, out: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]]
) -> None:
    """A COCO folder whose images are links to the given one's."""
    out.mkdir(parents=True, exist_ok=True)
    link = out / "images"
    link.unlink(missing_ok=True)
    os.symlink((root / "images").resolve(), link)
    content = {"images": images, "annotations": annotations, "categories": []}
    write_atomically(out / "annotations.json", json.dumps(content).encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
