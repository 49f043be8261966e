"""The model version of answers: which weights, and which code made masks of them.

    lite2-3-74db070b.4         name of the weights, digest of their values, number of the code
    lite2-3-74db070b.4-bf16    the same, computed in bfloat16

So the same version never stands for other masks, whoever gave two files one name. Between engines
and processors float32 differs by 1e-4 of a probability at most, which the version does not tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mfp_model.errors import CheckpointError
from mfp_model.files import parsed_json
from mfp_model.weights.stored import Values, widened_tensors

ANSWERS = 4  # raised whenever the same image, prompts and weights lead to another mask
IN_BF16 = "-bf16"
_DIGITS = 8


def with_answers(version: str) -> str:
    """Return a version of weights or constants, with the number of the code that answers."""
    return f"{version}.{ANSWERS}"


def without_precision(version: str) -> str:
    """Return what a version is called whatever it is computed in.

    It names what a command does once, on whichever machine it goes on.
    """
    return version.removesuffix(IN_BF16)


def weights_digest(config: Mapping[str, Any], tensors: Iterable[tuple[str, Values]]) -> str:
    """Return 8 hexadecimal digits of what computes: a network's config and its values.

    Args:
        config: The network's, as its file's header has it.
        tensors: By name, floating ones in float32, in the names' order.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, values in tensors:
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:_DIGITS]


def model_version(path: Path) -> str:
    """Return what answers of a checkpoint carry, without loading torch; computed in float32.

    Raises:
        CheckpointError: The file is missing or damaged, or a value is not finite.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            config = parsed_json(metadata["config"])
            digest = weights_digest(config, widened_tensors(file, path))
            return with_answers(f"{metadata['version']}-{digest}")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged or of another kind ({error})") from None
