"""The server's figures in Prometheus' format, right with one worker process and with several."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from backend.monitoring.ended_workers import undisturbed

_log = logging.getLogger(__name__)
_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30)
_FILE_KINDS = ("counter", "gauge_livesum", "histogram")
_FILE_BYTES = 1 << 20  # as prometheus-client makes them
_IOUS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Figures:
    """What was counted up to one moment."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def value(self, name: str, **labels: str) -> float:
        """Return a figure by its sample's name; 0 if never counted."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values that a label of a figure has."""
        return {sample.labels[label] for sample in self._samples if sample.name == name}


class Metrics:
    """Counters, gauges and histograms; all names begin with `mfp_`."""

    def __init__(self, shared_dir: Path | None = None) -> None:
        """Make the figures.

        Args:
            shared_dir: The folder of `PROMETHEUS_MULTIPROC_DIR`, which all workers of a server
                write to and which must be set before this module is imported; None for a
                process that is alone.
        """
        self._shared: list[Collector] = []
        self._shared_dir = shared_dir if shared_dir and _take_space(shared_dir) else None
        registry = self._registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry, multiprocess_mode="livesum")
        histogram = partial(Histogram, registry=registry, buckets=_SECONDS)
        self.requests = counter("mfp_requests", "HTTP requests.", ["route", "status"])
        self.clicks = counter(
            "mfp_clicks",
            "Requests with clicks: answered, superseded by a newer click, busy, failed.",
            ["outcome"],
        )
        self.errors = counter("mfp_errors", "Errors by kind.", ["kind"])
        self.refusals = counter(
            "mfp_refusals", "Requests refused unread: password, host, origin, project.", ["kind"]
        )
        self.cache_uses = counter("mfp_cache_uses", "Cache uses: hit, miss.", ["cache", "result"])
        self.cache_bytes = gauge("mfp_cache_bytes", "Bytes held by a cache.", ["cache"])
        self.waiting = gauge(
            "mfp_waiting", "Requests in work or in line: clicks, openings with a finder."
        )
        self.model = gauge(
            "mfp_model",
            "Workers that answer with this model version on this device.",
            ["version", "device"],
        )
        self.answer_seconds = histogram(
            "mfp_answer_seconds", "From a request with clicks to its mask."
        )
        self.step_seconds = histogram(
            "mfp_step_seconds",
            "Steps of an answer: image, edit, wait, round, page, mask, encode.",
            ["step"],
        )
        self.polygon_iou = histogram(
            "mfp_polygon_iou", "IoU of a polygon answer with its mask.", buckets=_IOUS
        )

    def add(self, collector: Collector) -> None:
        """Add figures that are the same for every worker."""
        self._shared.append(collector)

    def exposition(self) -> bytes:
        """Return the text that Prometheus reads, summed over the workers."""
        with self._undisturbed():
            return generate_latest(self._collected())

    def figures(self) -> Figures:
        """Return all figures as they are now, summed over the workers."""
        with self._undisturbed():
            metrics = self._collected().collect()
            return Figures([sample for metric in metrics for sample in metric.samples])

    def _undisturbed(self) -> AbstractContextManager[None]:
        return undisturbed(self._shared_dir) if self._shared_dir else nullcontext()

    def _collected(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        if self._shared_dir is None:
            registry.register(self._registry)
        else:
            MultiProcessCollector(registry, path=str(self._shared_dir))  # type: ignore[no-untyped-call]
        for collector in self._shared:
            registry.register(collector)
        return registry


def _take_space(shared_dir: Path) -> bool:
    """Write this worker's files in full before they are mapped into memory.

    Otherwise they have holes, and to write into a hole when the disk has become full ends the
    process. Where there is no space, this worker counts for itself alone, and is told of.
    """
    paths = [shared_dir / f"{kind}_{os.getpid()}.db" for kind in _FILE_KINDS]
    try:
        for path in paths:
            if not path.exists():
                path.write_bytes(bytes(_FILE_BYTES))
    except OSError as error:
        _log.error("no space for this worker's metrics in %s: %s", shared_dir, error.strerror)
        for path in paths:
            path.unlink(missing_ok=True)
        values.ValueClass = values.MutexValue
        return False
    return True
