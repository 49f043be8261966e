"""What fronts and replicas tell each other.

Images and predictions are large, so each is sent by its name first. A replica that does not have it
says so, and is sent the content.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import MfpError
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt

# What Ray Serve reads of it in fronts and replicas. By default 4 MB: a photo of 1.4 megapixels.
MESSAGE_LIMIT = {"RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(2**31 - 1)}


class ClusterError(MfpError):
    """The replicas cannot be used just now, or do not compute alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """A segmenter.

    Attributes:
        name: One of `mfp_model.names.SEGMENTERS`.
        checkpoint: The file of MFP's weights, on the folder that all mount; empty for the one of
            the settings.
    """

    name: str = "mfp"
    checkpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a front must know of a segmenter that a replica has.

    Attributes:
        version: Its model version.
        device: Where it computes, and by which engine.
        edits: Whether it can start from a mask.
        prompt_kinds: The prompts that it understands.
    """

    version: str
    device: str
    edits: bool
    prompt_kinds: tuple[type[Prompt], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """An image: its name, and its RGB pixels uint8 `[H, W, 3]` where they are sent along."""

    name: str
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """The next round that somebody wants.

    Attributes:
        which: Who computes it.
        version: Its model version, for the front to be sure.
        picture: The image.
        prompts: All prompts, oldest first.
        previous_name: Names what to go on from; empty for nothing.
        previous: That itself, where it is sent along.
        session: What belongs together, which one replica answers: a task.
        point_ids: Of the object that is clicked; none where nobody clicked.
        number: The click's, see `NewestClicks`.
    """

    which: Which
    version: str
    picture: Picture
    prompts: tuple[Prompt, ...]
    previous_name: str = ""
    previous: Prediction | None = None
    session: str
    point_ids: frozenset[str] = frozenset()
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfDate:
    """A newer click of the object has come, at this front or another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A replica does not have what it was told by name only."""

    picture: bool = False
    previous: bool = False


def packed_answer(work: Callable[[], object]) -> bytes:
    """Return what comes of it, or the error, as bytes: whoever asked raises that again."""
    try:
        return packed(work())
    except MfpError as error:
        return packed(error)


def packed(content: object) -> bytes:
    """Return its bytes: arrays that Ray hands over itself would keep its shared memory."""
    return pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)


def first_line(error: Exception) -> str:
    """Return the first line of an error; of a traceback the last, which says what."""
    cause = getattr(error, "cause", None)  # of what Ray wraps
    error = cause if isinstance(cause, Exception) else error
    lines = str(error).strip().splitlines() or [""]
    is_traceback = "Traceback" in str(error)
    return f"{type(error).__name__}: {lines[-1 if is_traceback else 0]}"[:300]


def picture_name(pixels: NDArray[np.uint8]) -> str:
    """Return a name of an image's content; 1 ms for each megapixel or two."""
    digest = hashlib.blake2b(f"{pixels.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def prediction_name(prediction: Prediction) -> str:
    """Return a name of all that a next round depends on."""
    digest = hashlib.blake2b(digest_size=16)
    layers = prediction.layers
    digest.update(
        f"{prediction.prompts} {layers.height} {layers.width} {prediction.zoom} "
        f"{prediction.n_edits} {prediction.iou}".encode()
    )
    for layer in layers.layers:
        digest.update(f"{layer.window} {layer.values.shape}".encode())
        digest.update(np.ascontiguousarray(layer.values).data)
    for kind, runs in (("cut", prediction.cut), ("edited", prediction.edited)):
        if runs is not None:
            digest.update(kind.encode())
            for part in (runs.rows, runs.starts, runs.stops):
                digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
