"""Fixtures that several test folders share.

pytest's own process, which only hands the tests out, reads this as well. So torch is imported
where a fixture needs it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from backend.cores import wait_asleep
from tests import postgres as postgres_module
from tests.postgres import Postgres

if TYPE_CHECKING:
    from mfp_model.checkpoints.checkpoint import Checkpoint
    from mfp_model.segmenters.mfp import MfpSegmenter

settings.register_profile("project", deadline=None)  # machines may be busy
settings.load_profile("project")

wait_asleep(os.environ)  # also the commands and trainings that tests start side by side

_CAPTURES = Path(__file__).parent / "data" / "captures"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """For networks this tiny, several threads only wait for each other."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_checkpoint() -> Checkpoint:
    """Random weights for inputs of 64 pixels: quick, and every bug shows as well."""
    import torch

    from mfp_model.checkpoints.checkpoint import Checkpoint
    from mfp_model.networks.network import MfpNetwork, NetworkConfig

    config = NetworkConfig(input_size=64)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = MfpNetwork(config)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
    return Checkpoint(version="tiny-1", config=config, weights=network.state_dict())


@pytest.fixture(scope="session")
def tiny_weights(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint's file."""
    from mfp_model.checkpoints.checkpoint import save_checkpoint

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path


@pytest.fixture(scope="session")
def tiny_segmenter(tiny_checkpoint: Checkpoint) -> MfpSegmenter:
    from mfp_model.segmenters.mfp import MfpSegmenter

    return MfpSegmenter(tiny_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """Something to look at, 90x140: smooth colours and two shapes."""
    rows, columns = np.mgrid[0:90, 0:140]
    image = np.stack([rows * 2, columns, 200 - rows], axis=2).astype(np.uint8)
    image[20:60, 30:80] = (200, 40, 40)
    image[(rows - 60) ** 2 + (columns - 110) ** 2 < 400] = (20, 220, 90)
    return image


@pytest.fixture(scope="session")
def capture() -> Callable[[str], Any]:
    """The JSON body of a request that the real Label Studio sent."""
    return lambda name: json.loads((_CAPTURES / f"{name}.json").read_text())["json"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; what asks for it is skipped where there is none."""
    reason = postgres_module.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres_module.running() as server:
        yield server
