"""The queue of fine-tuning jobs in Prometheus' figures."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.learning.jobs import JobQueue
from backend.storage.errors import StorageError

_log = logging.getLogger(__name__)


class JobFigures(Collector):
    """The queue's figures for Prometheus, the same from every worker."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        """Yield the number of jobs by state, and the running ones' progress."""
        try:
            n_by_state, newest = self._queue.n_by_state(), self._queue.newest(50)
        except StorageError as error:
            _log.warning("the queue's figures cannot be read: %s", error)
            return
        jobs = GaugeMetricFamily("mfp_jobs", "Fine-tuning jobs by state.", labels=["state"])
        for state, n in n_by_state.items():
            jobs.add_metric([state], n)
        yield jobs
        shares = GaugeMetricFamily(
            "mfp_job_share", "Share of a running job that is done.", labels=["project", "step"]
        )
        for job in newest:
            if job.state == "running":
                shares.add_metric([job.project, job.step], job.share)
        yield shares
