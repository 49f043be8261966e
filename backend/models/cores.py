"""How many cores this process may compute with."""

from __future__ import annotations

import os


def n_cores() -> int:
    """Return how many the system gives this process; macOS does not tell, so all there."""
    affinity = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if affinity is None else len(affinity(0))
