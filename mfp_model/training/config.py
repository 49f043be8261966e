"""What a training run is: data, phases, rounds, optimiser. Recorded in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mfp_model.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of training at one resolution.

    Attributes:
        size: Side of the square samples in pixels, a multiple of 32.
        batch: Samples per step.
        share: Share of all samples seen in this phase; the shares of a run add up to 1.
        freezes_norms: Normalise by the running statistics, as inference does, and keep them.
            A first pass sees zeros where later rounds see maps; by its own batch's statistics
            it learns to read clicks at a strength that inference never shows it.
    """

    size: int
    batch: int
    share: float
    freezes_norms: bool = True

    def __post_init__(self) -> None:
        if self.size <= 0 or self.size % 32:
            raise ConfigError(f"phase size={self.size}: expected a positive multiple of 32")
        if self.batch < 2:
            raise ConfigError(f"phase batch={self.batch}: expected >= 2")
        if not 0 < self.share <= 1:
            raise ConfigError(f"phase share={self.share}: expected 0 < share <= 1")


COMPACT_PHASES = (
    Phase(size=128, batch=16, share=0.20, freezes_norms=False),
    Phase(size=128, batch=16, share=0.35),
    Phase(size=192, batch=16, share=0.30),
    Phase(size=256, batch=12, share=0.15),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """All that decides the outcome of a run besides the data itself.

    Attributes:
        folders: COCO folders and how often each is drawn from, relative to the others.
        n_samples: Samples seen in all.
        phases: Resolutions in order, low first: most is learned where samples are cheap.
        max_rounds: Rounds per batch are drawn from 1..max_rounds with p ~ round_decay^k.
        round_decay: See `max_rounds`. Source: MFP, section 3.4.
        learning_rate: Peak of a cosine with a linear warm-up.
        weight_decay: AdamW's.
        average_decay: The shipped weights are an exponential average with this decay per step.
        merge_probability: How often two objects of an image become one target.
        seed: Sample i depends on the seed and i alone.
    """

    folders: tuple[tuple[Path, float], ...]
    n_samples: int = 60_000
    phases: tuple[Phase, ...] = field(default=COMPACT_PHASES)
    max_rounds: int = 8
    round_decay: float = 0.8
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-3
    average_decay: float = 0.998
    merge_probability: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.folders:
            raise ConfigError("folders: expected at least one COCO folder")
        if self.n_samples < 1:
            raise ConfigError(f"n_samples={self.n_samples}: expected >= 1")
        if self.max_rounds < 1:
            raise ConfigError(f"max_rounds={self.max_rounds}: expected >= 1")
        total = sum(phase.share for phase in self.phases)
        if abs(total - 1) > 1e-6:
            raise ConfigError(f"phases: shares add up to {total}, expected 1")

    def phase_at(self, n_seen: int) -> Phase:
        """Return the phase that a run is in after `n_seen` samples."""
        done = n_seen / self.n_samples
        for phase in self.phases:
            if done < phase.share:
                return phase
            done -= phase.share
        return self.phases[-1]
