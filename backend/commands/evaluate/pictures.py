"""A picture of each object that is clicked on."""

from __future__ import annotations

import re
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from mfp_model.files import write_atomically

if TYPE_CHECKING:
    from mfp_model.evaluation.objects import EvaluationObject
    from mfp_model.evaluation.protocol import ClickedObject

_MAX_BYTES = 200  # of a name; file systems take 255, with what is put before and behind it


class Pictures:
    """Pictures in a folder, each under its object's name, as far as files can have it.

    Where two objects would have one name, the second one's ends in `-2`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()

    def save(self, target: EvaluationObject, outcome: ClickedObject) -> None:
        """Write an object's image with clicks, truth and mask side by side."""
        from mfp_model.drawing import png, triplet

        picture = triplet(target.image, outcome.clicks, target.truth, outcome.mask)
        write_atomically(self._folder / f"{self._own_name(target.name)}.png", png(picture))

    def _own_name(self, name: str) -> str:
        encoded = re.sub(r"[^\w.#-]", "_", name).encode()
        name = encoded[-_MAX_BYTES:].decode(errors="ignore")  # the end tells an image's objects
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        own = next(name for name in names if name.casefold() not in self._names)
        self._names.add(own.casefold())
        return own
