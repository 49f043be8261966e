"""A process beside the workers: watched, and started again where it ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

_LONGEST_PAUSE_S = 60.0


class WatchedProcess:
    """A process that is started again where it ended, after a pause that doubles each time."""

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        tell: Callable[[str], None],
        *,
        first_pause_s: float,
        calm_s: float,
    ) -> None:
        """Start it.

        Args:
            name: What a person calls it.
            start: Starts it.
            tell: Hears that it ended, or cannot be started again.
            first_pause_s: Until it is started again.
            calm_s: After so long it counts as well again.
        """
        self._name = name
        self._start = start
        self._tell = tell
        self._first_pause_s = self._pause_s = first_pause_s
        self._calm_s = calm_s
        self._start_at = 0.0
        self._process: subprocess.Popen[bytes] | None = start()
        self._began = time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether it ran when it was looked at last."""
        return self._process is not None

    def was_restarted(self) -> bool:
        """Start it again where it ended, and return whether it was."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                if now - self._began > self._calm_s:
                    self._pause_s = self._first_pause_s
                return False
            self._process = None
            self._pause("ended by itself, and is started again")
        if now < self._start_at:
            return False
        try:
            self._process, self._began = self._start(), now
        except OSError as error:  # as where the system has no process more
            self._pause(f"cannot be started ({error}), and is tried again")
            return False
        return True

    def _pause(self, what: str) -> None:
        self._start_at = time.monotonic() + self._pause_s
        self._tell(f"`{self._name}` {what} in {self._pause_s:g} s")
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)

    def replace(self) -> None:
        """End it; the next look starts it again, without a pause."""
        self.end()
        self._process, self._start_at = None, time.monotonic()

    def end(self, *, kill_after_s: float | None = None) -> None:
        """Ask it to end, and see that it does where a time is given."""
        if self._process is None:
            return
        self._process.terminate()
        if kill_after_s is not None:
            try:
                self._process.wait(kill_after_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
