"""Ctrl-C and SIGTERM as a question that long work asks itself."""

from __future__ import annotations

import signal


class StopSignal:
    """Notices both, so that work ends after its step with its state saved."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.is_asked = True
