"""What replicas must have in common to give the same bytes, and the proof that they do.

An answer is a function of image, prompts, prior mask and weights, on one kind of machine: engines
and processors differ in a probability's last digits. So each replica tells what it computes with,
and what came of some clicks on a picture made for that. One that differs does not serve.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.cluster.messages import ClusterError
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter
from mfp_model.weights.versions import ANSWERS

Likeness = Mapping[str, str]

_PACKAGES = ("torch", "openvino", "numpy", "opencv-python-headless", "scipy")
_FEATURES = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
)
_PROOF_PX = 96


def likeness_of(segmenter: Segmenter, n_threads: int) -> Likeness:
    """Return what decides about a segmenter's bytes on this machine.

    Args:
        segmenter: MFP with the weights of the settings.
        n_threads: Threads that compute.
    """
    return {
        "weights": segmenter.version,
        "computes on": segmenter.device,
        "threads": str(n_threads),
        "code": str(ANSWERS),
        "processor": _processor(),
        "gpu": _gpu(segmenter.device),
        **{name: installed_version(name) for name in _PACKAGES},
        "proof": _proof(segmenter),
    }


def check_alike(mine: Likeness, agreed: Likeness) -> None:
    """Refuse a replica that differs.

    Raises:
        ClusterError: It does; the message says in what.
    """
    differences = [
        f"{name} {mine.get(name, 'none')}, expected {agreed.get(name, 'none')}"
        for name in differing(mine, agreed)
    ]
    if differences:
        raise ClusterError(
            "a replica does not compute as the others, and does not serve: "
            f"{'; '.join(differences)}"
        )


def differing(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return the names, sorted, that one of the two lacks or whose values differ."""
    return [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]


def installed_version(package: str) -> str:
    """Return the version of a package, `none` where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _proof(segmenter: Segmenter) -> str:
    """A digest of the probabilities after three clicks."""
    rows, columns = np.mgrid[0:_PROOF_PX, 0:_PROOF_PX]
    image = np.stack([rows * 2, columns * 2, (rows * columns) % 256], axis=2).astype(np.uint8)
    clicks = [
        Click(x=30.0, y=40.0),
        Click(x=60.5, y=50.25),
        Click(x=10.0, y=80.0, is_positive=False),
    ]
    answer = segmenter.segment(image, clicks).probability_map
    return hashlib.sha256(np.ascontiguousarray(answer).data).hexdigest()[:16]


def _processor() -> str:
    """The kind of processor, and those of its instructions that change digits."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.machine()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    there = set(flags.partition(":")[2].split())
    return " ".join([platform.machine(), *(name for name in _FEATURES if name in there)])


def _gpu(device: str) -> str:
    """The kind of GPU that computes."""
    if not device.startswith("cuda"):
        return "none"
    import torch

    return f"{torch.cuda.get_device_name()} cuda {torch.version.cuda}"
