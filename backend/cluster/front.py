"""What a front knows of the cluster that computes for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.cluster.remote import Replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFront:
    """Made once per worker.

    Attributes:
        replicas: Who computes.
        next_number: Numbers clicks for all fronts; None where this one is alone.
    """

    replicas: Replicas
    next_number: Callable[[], int] | None = None
