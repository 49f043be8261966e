"""An engine against a plain float32 run of the same network, in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.engines.device import best_device
from mfp_model.engines.engine_choice import make_engine
from mfp_model.networks.network import Computes, run_round

_N_CROWD = 16


def compare_engines(
    checkpoint: Checkpoint, *, engine: str, device: str, n_repeats: int
) -> dict[str, object]:
    """Return the times of a checkpoint's network, medians of plain and engine in turns.

    A later click's round is maps, modulation and one pass; a first click's is two passes. The
    ratios say how many times as fast as plain the engine is.

    Args:
        checkpoint: The weights; random ones take as long.
        engine: As in `make_engine`.
        device: As in `best_device`.
        n_repeats: Rounds of each kind.

    Returns:
        Milliseconds, the ratios, the largest difference of a probability between the two, and on
        GPUs the engine's later rounds per second in batches of 16.

    Raises:
        ConfigError: Unknown engine or device.
    """
    where = best_device(device)
    plain = checkpoint.network().to(where)
    fast = make_engine(engine, checkpoint.network(), where)
    size = checkpoint.config.input_size
    random = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, size, size, generator=random).to(where)
    previous = torch.rand(1, size, size, generator=random).to(where)
    clicks = torch.tensor([[[size / 2, size / 2, 1.0], [size / 3, size / 2, -1.0]]]).to(where)

    def later(network: Computes, n: int = 1) -> torch.Tensor:
        batch = (part.expand(n, *part.shape[1:]) for part in (image, previous, clicks))
        return run_round(network, *batch).logits

    def first(network: Computes) -> torch.Tensor:
        run_round(network, image, torch.zeros_like(previous), clicks[:, :1])
        return run_round(network, image, previous, clicks[:, :1]).logits

    with torch.inference_mode():
        difference = (later(plain).sigmoid() - later(fast).sigmoid()).abs().max()
        calls = [partial(kind, network) for kind in (later, first) for network in (plain, fast)]
        plain_later, engine_later, plain_first, engine_first = _medians(calls, where, n_repeats)
        crowd = None
        if where.type == "cuda":
            (ms,) = _medians([partial(later, fast, _N_CROWD)], where, n_repeats)
            crowd = float(f"{1000 * _N_CROWD / ms:.3g}")
    figures = {
        "plain_later_ms": plain_later,
        "engine_later_ms": engine_later,
        "plain_first_ms": plain_first,
        "engine_first_ms": engine_first,
        "difference": float(difference),
        "later_ratio": plain_later / engine_later,
        "first_ratio": plain_first / engine_first,
    }
    return {
        "engine": fast.name,
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu",
        **{name: float(f"{value:.3g}") for name, value in figures.items()},
        "batch_16_per_s": crowd,
    }


def _medians(
    calls: Sequence[Callable[[], torch.Tensor]], device: torch.device, n_repeats: int
) -> list[float]:
    """Milliseconds of each call, all taking turns so that the machine's moods hit all of them."""
    taken: list[list[float]] = [[] for _ in calls]
    for repeat in range(n_repeats + 1):
        for call, times in zip(calls, taken, strict=True):
            started = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if repeat:  # the first one warms up
                times.append(1000 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]
