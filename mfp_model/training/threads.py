"""How many threads a step is computed with on a CPU, chosen by what is faster now.

With other work on the cores, two threads wait for each other and can be slower than one. So now
and then a few steps are timed with each number of threads, and the fastest is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import monotonic

import torch

_EVERY = 100  # steps from one comparison to the next
_TRIES = 3  # steps timed with each number of threads
_CLEARLY = 1.3  # times the time of the fastest: not worth another step


class ThreadChoice:
    """Chooses the number of threads for each step of a run."""

    def __init__(self, candidates: tuple[int, ...] | None = None) -> None:
        """Choose among `candidates`; by default one thread, half of the cores, and all."""
        n_cores = os.cpu_count() or 1
        self._candidates = candidates or tuple(sorted({1, max(1, n_cores // 2), n_cores}))
        self._seconds: dict[int, list[float]] = {}
        self._n_steps = 0

    @contextmanager
    def step(self) -> Iterator[int]:
        """Set PyTorch's number of threads for a step and time it; yields the number.

        Between steps it is the fastest one, or, before all were tried, the largest.
        """
        if self._n_steps % _EVERY == 0:
            self._seconds = {n: [] for n in self._candidates}
        untried = [n for n in self._candidates if self._needs_trial(n)]
        n_threads = untried[0] if untried else self._fastest()
        torch.set_num_threads(n_threads)
        started = monotonic()
        yield n_threads
        if untried:
            self._seconds[n_threads].append(monotonic() - started)
        self._n_steps += 1
        is_known = all(self._seconds[n] for n in self._candidates)
        torch.set_num_threads(self._fastest() if is_known else self._candidates[-1])

    def _fastest(self) -> int:
        return min(self._candidates, key=self._took)

    def _took(self, n_threads: int) -> float:
        seconds = self._seconds[n_threads]
        return median(seconds) if seconds else float("inf")

    def _needs_trial(self, n_threads: int) -> bool:
        fastest = min(map(self._took, self._candidates))
        is_slow = self._took(n_threads) > _CLEARLY * fastest and bool(self._seconds[n_threads])
        return len(self._seconds[n_threads]) < _TRIES and not is_slow
