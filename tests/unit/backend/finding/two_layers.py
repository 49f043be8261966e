"""Two objects, one behind the other, that a finder of tests finds on every image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfp_model.finding.finders import FoundObject
from mfp_model.finding.layers import LayeredObject

CONFIG = """<View><Image name="image" value="$image"/>
  <{kind} name="mask" toName="image" finder="{finder}"><Label value="Thing"/><Label value="cat"/>
  </{kind}></View>"""


def two_layers(image: NDArray[np.uint8]) -> list[LayeredObject]:
    """A cat in front of something that is as large as the image."""
    front = np.zeros(image.shape[:2], dtype=np.bool_)
    front[: max(1, len(front) // 2)] = True
    behind = np.ones_like(front)
    return [
        LayeredObject(
            whole=FoundObject(mask=front, score=0.9, label="cat"), order=0, visible=front
        ),
        LayeredObject(whole=FoundObject(mask=behind, score=0.5), order=2, visible=~front),
    ]
