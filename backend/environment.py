"""Reading values of an environment, for `backend.settings`."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mfp_model.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class EnvironmentReader:
    """Values of an environment by name, each of them checked.

    All raise `ConfigError` for what they cannot read.
    """

    environ: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return the value without spaces around it, empty where there is none."""
        return self.environ.get(name, "").strip()

    def path(self, name: str) -> Path | None:
        """Return a path, None where there is none."""
        text = self.text(name)
        return Path(text) if text else None

    def switch(self, name: str) -> bool:
        """Return whether it says yes."""
        text = self.text(name).lower()
        if text not in ("", "0", "1", "false", "true", "no", "yes"):
            raise ConfigError(f"{name}={text!r}: expected true or false")
        return text in ("1", "true", "yes")

    def items(self, name: str) -> tuple[str, ...]:
        """Return what stands between commas, in small letters."""
        return tuple(item.strip().lower() for item in self.text(name).split(",") if item.strip())

    def paths(self, name: str) -> tuple[Path, ...]:
        """Return the paths between colons."""
        return tuple(Path(item) for item in self.text(name).split(os.pathsep) if item)

    def counts(self, name: str) -> dict[str, int]:
        """Return numbers by project from `N` and `PROJECT:N` with commas between."""
        found = {}
        for project, count in self.by_project(name).items():
            if not count.isdecimal():
                raise ConfigError(f"{name}: {count!r}: expected N or PROJECT:N")
            found[project] = int(count)
        return found

    def by_project(self, name: str) -> dict[str, str]:
        """Return values by project from `VALUE` and `PROJECT:VALUE` with commas between."""
        found = {}
        for item in self.items(name):
            project, _, value = item.rpartition(":")
            if project and not project.isdecimal():
                raise ConfigError(f"{name}: {item!r}: expected a value or PROJECT:VALUE")
            found[project] = value
        return found

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return address ranges between commas."""
        try:
            return tuple(ipaddress.ip_network(item) for item in self.items(name))
        except ValueError as error:
            raise ConfigError(f"{name}: {error}; expected ranges such as 10.0.0.0/8") from None

    def number(self, name: str, default: float, *, low: float, high: float = float("inf")) -> float:
        """Return a number in a range."""
        text = self.text(name)
        try:
            value = float(text) if text else float(default)
        except ValueError:
            raise ConfigError(f"{name}={text!r}: expected a number") from None
        if not low <= value <= high:
            raise ConfigError(f"{name}={text}: expected {low:g} <= value <= {high:g}")
        return value
