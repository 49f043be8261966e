"""Which versions serve: one for all, and those of projects of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Serving:
    """The versions that serve, newest last: globally, and for projects of their own."""

    histories: Mapping[str, tuple[str, ...]]

    def version(self, project: str) -> str | None:
        """Return the version that serves a project; None for the checkpoint of the settings."""
        own = self.histories.get(project) or self.histories.get(GLOBAL)
        return own[-1] if own else None

    def versions(self) -> set[str]:
        """Return all that serve somewhere."""
        return {history[-1] for history in self.histories.values() if history}

    @classmethod
    def from_json(cls, histories: object) -> Self:
        """Return what a file of lists of names holds.

        Raises:
            ValueError: It is of another form.
        """
        if not isinstance(histories, dict):
            raise ValueError(f"expected an object, got {type(histories).__name__}")
        for name, history in histories.items():
            if not isinstance(history, list) or not all(isinstance(one, str) for one in history):
                raise ValueError(f"{name}: expected a list of names")
        return cls({name: tuple(history) for name, history in histories.items()})
