"""Segmenters in memory: side by side within a bound, the least recently used out first.

What is built around the same weights goes with them: an entry has a group, the weights' version,
and the memory of a group is that of its largest segmenter.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from mfp_model.segmenter import Segmenter

OnChange = Callable[[Segmenter], None]


class LoadedSegmenters:
    """Keeps segmenters; the one asked for last is kept whatever its size."""

    def __init__(
        self,
        *,
        max_bytes: int,
        on_loaded: OnChange = lambda segmenter: None,
        on_dropped: OnChange = lambda segmenter: None,
    ) -> None:
        """Make an empty one.

        Args:
            max_bytes: What all of them may hold in memory.
            on_loaded: Told of each segmenter that is kept.
            on_dropped: Told of each that left memory.
        """
        self._max_bytes = max_bytes
        self._on_loaded = on_loaded
        self._on_dropped = on_dropped
        self._guard = threading.Lock()
        self._loading = threading.Lock()
        self._groups: OrderedDict[str, dict[str, Segmenter]] = OrderedDict()

    @property
    def n_bytes(self) -> int:
        """What they hold in memory, about."""
        with self._guard:
            return self._total()

    def get(self, group: str, name: str, load: Callable[[], Segmenter]) -> Segmenter:
        """Return a segmenter, loaded where it is not in memory; one is loaded at a time.

        Args:
            group: The version of its weights, or its name where it has none.
            name: Which of those around these weights.
            load: Returns it.

        Raises:
            MfpError: What `load` raises.
        """
        loaded = self._find(group, name)
        if loaded is not None:
            return loaded
        with self._loading:
            loaded = self._find(group, name)
            return self.keep(group, name, load()) if loaded is None else loaded

    def keep(self, group: str, name: str, segmenter: Segmenter) -> Segmenter:
        """Keep a segmenter, dropping others as needed, and return it."""
        dropped: list[Segmenter] = []
        with self._guard:
            self._groups.setdefault(group, {})[name] = segmenter
            self._groups.move_to_end(group)
            while self._total() > self._max_bytes and len(self._groups) > 1:
                dropped += self._groups.popitem(last=False)[1].values()
        self._on_loaded(segmenter)
        for left in dropped:
            self._on_dropped(left)
        return segmenter

    def has_room(self, n_bytes: int) -> bool:
        """Return whether so much more can be kept without dropping any."""
        return self.n_bytes + n_bytes <= self._max_bytes

    def _find(self, group: str, name: str) -> Segmenter | None:
        with self._guard:
            loaded = self._groups.get(group, {}).get(name)
            if loaded is not None:
                self._groups.move_to_end(group)
            return loaded

    def _total(self) -> int:
        return sum(
            max(segmenter.n_bytes for segmenter in group.values())
            for group in self._groups.values()
        )
