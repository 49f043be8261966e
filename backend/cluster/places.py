"""How many replicas a cluster has room for, and what each gets of cores and settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.cores import n_cores
from backend.settings import Settings

_GROUP = 4  # cores of a replica, where nobody says how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is wanted of a Ray.

    Attributes:
        settings: With the threads of each replica.
        n_replicas: How many; 0 for as many as there is room for.
        n_cpus: Cores of a Ray that is started; 0 for none.
    """

    settings: Settings
    n_replicas: int
    n_cpus: int

    @staticmethod
    def of(settings: Settings, address: str, n_replicas: int) -> Plan:
        """Return a plan.

        Args:
            settings: What replicas compute with.
            address: Ray's; empty to start one on this machine.
            n_replicas: How many; 0 for as many as there is room for.
        """
        if address:
            threads = settings.n_torch_threads or _GROUP
            return Plan(
                settings=settings.with_torch_threads(threads), n_replicas=n_replicas, n_cpus=0
            )
        cores = n_cores()
        threads = settings.n_torch_threads or _threads(cores, n_replicas)
        n_replicas = n_replicas or max(1, cores // threads)
        return Plan(
            settings=settings.with_torch_threads(threads),
            n_replicas=n_replicas,
            n_cpus=max(cores, n_replicas * threads),
        )

    def places(self) -> tuple[int, bool]:
        """Return how many replicas the Ray that is connected gets, and whether each has a GPU."""
        import ray

        there = ray.cluster_resources()
        n_gpus = int(there.get("GPU", 0)) if self.settings.device != "cpu" else 0
        n_cpus = int(there.get("CPU", 1))
        n_room = n_gpus or max(1, n_cpus // self.settings.n_torch_threads)
        n_replicas = self.n_replicas or n_room
        return n_replicas, bool(n_gpus) and n_replicas <= n_gpus


def without_secrets(settings: Settings) -> Settings:
    """Return the settings that a process of a cluster may have."""
    return replace(settings, label_studio_api_key="", username="", password="", database_url="")


def _threads(n_cores: int, n_replicas: int) -> int:
    return max(1, n_cores // n_replicas) if n_replicas else min(_GROUP, n_cores)
