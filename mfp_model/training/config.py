"""What a training run is: data, phases, rounds, optimiser. Recorded in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mfp_model.errors import ConfigError, check_choice
from mfp_model.names import LOSSES, SCHEDULES, SCHEMES, STRATEGIES

_SHARES = (
    "round_decay",
    "average_decay",
    "merge_probability",
    "paste_probability",
    "prior_probability",
    "box_probability",
    "encoder_rate",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of training at one resolution.

    Attributes:
        height: Rows of the samples in pixels, a multiple of 32.
        width: Columns of the samples.
        batch: Samples per step.
        share: Share of all samples seen in this phase; the shares of a run add up to 1.
        freezes_norms: Normalise by the running statistics, as inference does, and keep them.
    """

    height: int
    width: int
    batch: int
    share: float = 1.0
    freezes_norms: bool = False

    def __post_init__(self) -> None:
        for name, value in (("height", self.height), ("width", self.width)):
            if value <= 0 or value % 32:
                raise ConfigError(f"phase {name}={value}: expected a positive multiple of 32")
        if self.batch < 2:
            raise ConfigError(f"phase batch={self.batch}: expected >= 2")
        if not 0 < self.share <= 1:
            raise ConfigError(f"phase share={self.share}: expected 0 < share <= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """All that decides the outcome of a run besides the data itself.

    Attributes:
        folders: Data sets and how often each is drawn from, relative to the others.
        phases: Resolutions in order, low first: most is learned where samples are cheap.
        n_samples: Samples that give loss in all.
        scheme: `streamed` (see `mfp_model.training.stream`); `recursive`, the published one; or
            `drawn`: one pass, with clicks that know the truth alone, not what was segmented.
        strategy: With `drawn`, where the clicks lie, see `mfp_model.training.drawn`.
        max_rounds: No sample gets more rounds.
        round_decay: The number of rounds is k with p ~ round_decay^k. Source: MFP, section 3.4.
        loss: `focal`, the normalised focal loss of MFP; `bce`, binary cross-entropy in which the
            object's pixels count five times; or `bce_dice`, that plus the Dice loss.
        boundary_weight: How much more pixels on the object's edge count, falling to nothing
            within some pixels; 0 for all alike.
        adversarial_weight: Of a discriminator's verdict in the loss; 0 for none.
        click_weight: Of the cross-entropy at the clicked pixels in the loss.
        iou_weight: Of the squared error of the IoU that a network estimates, where it does.
        learning_rate: The highest.
        encoder_rate: Share of the learning rate that a pretrained encoder gets; below 1 it does
            not decay.
        schedule: `cosine` (a linear warm-up, then a cosine to zero) or `steps`.
        warm_up_samples: With `cosine`, the samples of its warm-up.
        milestones: With `steps`, shares of the run after which the rate falls to a tenth.
        weight_decay: AdamW's; 0 makes it Adam.
        average_decay: The weights written are an exponential average with this decay per
            step; 0 for the newest ones.
        merge_probability: How often two objects of an image become one target.
        paste_probability: How often an object of another image is pasted over the view, half of
            the time as the new target: what stands out is not always what is meant.
        prior_probability: How often a sample starts from a damaged mask instead of nothing.
        box_probability: How often a sample starts from a box around the object, without a click.
        cycle_samples: The phases are gone through once in so many samples, and then again; None
            for once in the whole run.
        min_object_px: Smaller objects are left out, in pixels of the image.
        size_power: An object of an image is drawn with p ~ area^size_power.
        seed: Sample i depends on the seed and i alone.
    """

    folders: tuple[tuple[Path, float], ...]
    phases: tuple[Phase, ...]
    n_samples: int
    scheme: str = "streamed"
    strategy: str = "deep"
    max_rounds: int = 8
    round_decay: float = 0.8
    loss: str = "focal"
    boundary_weight: float = 0.0
    adversarial_weight: float = 0.0
    click_weight: float = 0.0
    iou_weight: float = 0.0
    learning_rate: float = 1.5e-3
    encoder_rate: float = 1.0
    schedule: str = "cosine"
    warm_up_samples: int = 3000
    milestones: tuple[float, ...] = ()
    weight_decay: float = 1e-3
    average_decay: float = 0.998
    merge_probability: float = 0.15
    paste_probability: float = 0.0
    prior_probability: float = 0.0
    box_probability: float = 0.0
    cycle_samples: int | None = None
    min_object_px: int = 80
    size_power: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.folders:
            raise ConfigError("folders: expected at least one data set")
        if any(weight <= 0 for _, weight in self.folders):
            raise ConfigError(f"folders={self.folders}: expected weights above 0")
        check_choice("scheme", self.scheme, SCHEMES)
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("loss", self.loss, LOSSES)
        check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("n_samples", "max_rounds", "warm_up_samples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected >= 1")
        for name in ("boundary_weight", "adversarial_weight", "click_weight", "iou_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name}={getattr(self, name)}: expected >= 0")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected 0..1")
        if self.prior_probability + self.box_probability > 1:
            raise ConfigError("prior_probability + box_probability: expected at most 1")
        if self.cycle_samples is not None and self.cycle_samples < 1:
            raise ConfigError(f"cycle_samples={self.cycle_samples}: expected >= 1")
        total = sum(phase.share for phase in self.phases)
        if abs(total - 1) > 1e-6:
            raise ConfigError(f"phases: shares add up to {total}, expected 1")

    def phase_at(self, n_seen: int) -> int:
        """Return the index of the phase that a run is in after `n_seen` samples."""
        cycle = self.cycle_samples or self.n_samples
        done = n_seen % cycle / cycle if self.cycle_samples else n_seen / cycle
        for index, phase in enumerate(self.phases):
            if done < phase.share:
                return index
            done -= phase.share
        return len(self.phases) - 1
