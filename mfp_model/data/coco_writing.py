"""COCO instance annotations: the one writer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from mfp_model.files import writing_atomically


def write_coco(
    path: Path,
    *,
    images: Iterable[Mapping[str, Any]],
    annotations: Iterable[Mapping[str, Any]],
    categories: Sequence[Mapping[str, Any]] = (),
    about: str = "",
) -> None:
    """Write a file of annotations, row by row, whole or not at all.

    Args:
        path: The file.
        images: COCO's rows, written as they are.
        annotations: COCO's rows.
        categories: COCO's rows.
        about: What `info` says.
    """
    info = {"description": about, "version": "1.0"}
    with writing_atomically(path) as file:
        file.write(f'{{"info": {json.dumps(info)}, "licenses": [], "categories": ')
        file.write(f'{json.dumps(list(categories))},\n"images": [')
        _write_rows(file, images)
        file.write('],\n"annotations": [')
        _write_rows(file, annotations)
        file.write("]}\n")


def _write_rows(file: IO[str], rows: Iterable[Mapping[str, Any]]) -> None:
    for index, row in enumerate(rows):
        file.write(",\n" if index else "\n")
        json.dump(row, file)
