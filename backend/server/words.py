"""Times, states and steps in the words of the people who read the status page."""

from __future__ import annotations

_STEPS = {
    "": "begins",
    "export": "collects the project's masks",
    "replay": "notes what it knows already",
    "judge the old": "counts clicks with the version so far",
    "train": "learns",
    "judge the new": "counts clicks with the new version",
}
_STATES = {
    "queued": "waits",
    "running": "runs",
    "promoted": "better: serves the project",
    "kept": "not better: kept, not served",
    "failed": "failed",
    "cancelled": "cancelled",
}
_MIN_SHARE = 0.06  # of a job, before its end can be guessed


def step_words(step: str) -> str:
    """Return what a fine-tuning is doing."""
    return _STEPS.get(step, step)


def state_words(state: str) -> str:
    """Return how a fine-tuning is, or how it ended."""
    return _STATES.get(state, state)


def duration(seconds: float) -> str:
    """Return a time as `12 s`, `3 min`, `2 h 5 min` or `3 d 4 h`."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left} s"
    minutes, hours = left // 60, left // 3600
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def time_left(share: float, elapsed_s: float) -> str:
    """Return how long a job still takes if it goes on as it did; empty where nobody can say."""
    if not _MIN_SHARE < share < 1:
        return ""
    return f"about {duration(elapsed_s * (1 - share) / share)} left"
