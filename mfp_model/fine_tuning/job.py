"""What a fine-tuning is asked to do, and what it tells on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfp_model.errors import ConfigError, MfpError


class StoppedError(MfpError):
    """The run was asked to stop; it can go on later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneJob:
    """A run.

    Attributes:
        data: COCO folder of corrected masks, as `mfp coco export` writes it.
        base: Checkpoint to begin with.
        served: Checkpoint that the candidate must beat; None for the base.
        out: The candidate's checkpoint; `.report.html` and `.json` go beside it.
        version: The candidate's model version.
        work: Folder for what the run needs on the way.
        replay: Further COCO folders to learn from, with their weights beside the corrections' 1.
        n_samples: Samples to learn from at most; None for the recipe's.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        engine: What computes where weights are judged, as in the server; see `mfp_model.names`.
        n_workers: Processes that prepare samples.
        chooses_threads: Learn with as many threads as are fastest at the time. Then a run that
            was stopped goes on to weights that differ by rounding.
    """

    data: Path
    base: Path
    out: Path
    version: str
    work: Path
    served: Path | None = None
    replay: tuple[tuple[Path, float], ...] = ()
    n_samples: int | None = None
    device: str = "auto"
    engine: str = "auto"
    n_workers: int = 1
    chooses_threads: bool = False

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.out.with_suffix(".report.html")

    @property
    def manifest(self) -> Path:
        """What is known of the candidate, JSON."""
        return self.out.with_suffix(".json")

    def check(self) -> None:
        """Refuse a place where the manifest would replace something else.

        Raises:
            ConfigError: A file of its name is there, and is none.
        """
        if self.manifest.exists() and manifest_in(self.manifest) is None:
            raise ConfigError(
                f"{self.manifest}: is there already, and is no manifest of a fine-tuning, which "
                f"would replace it; expected another name than {self.out.name}"
            )

    def read_manifest(self) -> dict[str, Any]:
        """Return what the manifest of a run that is done tells."""
        manifest: dict[str, Any] = json.loads(self.manifest.read_text())
        return manifest


def manifest_in(path: Path) -> dict[str, Any] | None:
    """Return the manifest in a file, None where there is none in it."""
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and "passes" in manifest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is: the step, and the share of the whole that is done."""

    step: str
    share: float


Report = Callable[[Progress], None]
