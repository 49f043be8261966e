"""The cores that this process may compute with, and leaves to others while it waits."""

from __future__ import annotations

import os
from collections.abc import MutableMapping


def n_cores() -> int:
    """Return how many the system gives this process; macOS does not tell, so all there."""
    affinity = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if affinity is None else len(affinity(0))


def wait_asleep(environment: MutableMapping[str, str]) -> None:
    """Let PyTorch's threads sleep while they wait for each other, unless it says otherwise.

    Otherwise they keep their cores busy, which workers and a training share. On busy cores the
    training would take several times as long, and so would a start.

    Args:
        environment: This process's; OpenMP reads it when PyTorch is imported.
    """
    environment.setdefault("OMP_WAIT_POLICY", "passive")


def multiply_in_one_thread(environment: MutableMapping[str, str]) -> None:
    """Let NumPy's products be computed in one thread, unless the environment says otherwise.

    Ours are many and small. With two threads a click of `graph-cut-deep` took half as long again,
    and three times the cores' time; beside other work it took three to five times as long.

    Args:
        environment: This process's; OpenBLAS reads it when NumPy is imported.
    """
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
