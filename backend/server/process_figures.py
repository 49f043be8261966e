"""Figures of the processes beside the workers, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.server.fine_tuning import read_state


class FineTuningFigures(Collector):
    """How `mfp work` is, for Prometheus; the same from every worker."""

    def __init__(self, shared_dir: Path | None) -> None:
        self._shared_dir = shared_dir

    def collect(self) -> Iterator[Metric]:
        """Yield whether it runs, and how often it had to be started again."""
        state = read_state(self._shared_dir)
        if state is None:
            return
        yield GaugeMetricFamily(
            "mfp_fine_tuning_up", "Whether `mfp work` runs.", value=int(state.is_running)
        )
        yield CounterMetricFamily(
            "mfp_fine_tuning_restarts", "Starts of `mfp work` anew.", value=state.n_restarts
        )
