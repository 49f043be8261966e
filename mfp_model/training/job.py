"""What a training run is asked to do, and the files that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.networks.network import NetworkConfig
from mfp_model.training.config import TrainingConfig

N_VALIDATION = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles:
    """Where a run writes, all beside its checkpoint.

    Attributes:
        checkpoint: The best averaged weights by validation, the newest ones without it.
    """

    checkpoint: Path

    @property
    def state(self) -> Path:
        """What a run that was cut goes on from."""
        return self.checkpoint.with_name(self.checkpoint.name + ".state")

    @property
    def log(self) -> Path:
        """A CSV file, a line every 20 steps: samples, loss, IoU, learning rate, speed."""
        return self.checkpoint.with_name(self.checkpoint.stem + ".log.csv")

    @property
    def validation_log(self) -> Path:
        """A CSV file, a line an epoch: samples, score, mean IoU after 1 to 5 clicks."""
        return self.checkpoint.with_name(self.checkpoint.stem + ".validation.csv")

    def sheet(self, epoch: int) -> Path:
        """The picture sheet of an epoch's validation."""
        return self.checkpoint.with_name(f"{self.checkpoint.stem}.epoch-{epoch:03d}.png")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob:
    """A run, and what is done with it on the way.

    Attributes:
        config: The run.
        network_config: The network.
        out: Checkpoint file.
        version: The checkpoint's version.
        start: Weights to begin with; None for random ones.
        validation: Data sets, as in `TrainingConfig.folders`, none of whose images should be
            trained on; those that are give a warning in the log.
        leaves_out_shared: Do not learn from these images.
        n_validation: Samples drawn from them.
        epoch_samples: Samples between two validations; None for as many as there are images.
        validates_start: Validate what is begun with, too, for the log alone.
        patience: Validations without a better score after which the run ends; None for no end.
        save_every_s: Seconds between two saves of the state.
        n_workers: Processes that prepare samples, for each rank.
        device: Where to train, see `best_device`; None for `auto`.
        chooses_threads: Compute with as many threads as is fastest at the time, on a CPU.
    """

    config: TrainingConfig
    network_config: NetworkConfig
    out: Path
    version: str
    start: Checkpoint | None = None
    validation: tuple[tuple[Path, float], ...] = ()
    leaves_out_shared: bool = False
    n_validation: int = N_VALIDATION
    epoch_samples: int | None = None
    validates_start: bool = False
    patience: int | None = None
    save_every_s: float = 120.0
    n_workers: int = 1
    device: str | None = None
    chooses_threads: bool = False

    @property
    def files(self) -> TrainingFiles:
        """Where the run writes."""
        return TrainingFiles(checkpoint=self.out)
