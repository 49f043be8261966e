"""Everything that `mfp bench` measures without a soak."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from backend.bench.clicks import measure_clicks
from backend.bench.crowd import measure_crowd
from backend.bench.engines import compare_engines
from backend.bench.flows import measure_flows
from backend.bench.open_objects import measure_open_objects
from backend.bench.server import Size, bench_server, make_photos, memory_mb
from backend.bench.steps import step_ms
from mfp_model.checkpoints.checkpoint import Checkpoint, build_network, load_checkpoint
from mfp_model.loading import load_segmenter
from mfp_model.networks.network import NetworkConfig, default_input_size
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.weights import DEFAULT_WEIGHTS

_N_ENGINE_REPEATS = 10
_N_STEP_REPEATS = 15
_N_CROWD_PHOTOS = 8
_N_OPEN_PHOTOS = 100
_FULL_HD, _12_MEGAPIXELS, _FLOW_SIZE = (1920, 1080), (4000, 3000), (1024, 768)
_NETWORKS = ("mfp", "mfp-refined", "unet", "inpaint")

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchConfig:
    """What is measured.

    Attributes:
        segmenter: What answers.
        checkpoint: Its weights; None for the shipped ones.
        network: A backbone's name: random weights, and only its engine and steps are measured.
        engine: As in `load_segmenter`.
        device: As in `load_segmenter`.
        sizes: Of the photos, width and height.
        n_objects: Objects clicked on in the running server, for each size.
        n_annotators: Clicking at once in the running server; 0 for none.
        seconds: How long they do.
        n_open_objects: Objects kept open on 100 photos of 12 megapixels; 0 for none.
        n_flows: Objects of each way to a mask on a 1024x768 photo; 0 for none.
    """

    segmenter: str = "mfp"
    checkpoint: Path | None = None
    network: str | None = None
    engine: str = "auto"
    device: str = "auto"
    sizes: tuple[Size, ...] = ((1024, 768), _FULL_HD, _12_MEGAPIXELS)
    n_objects: int = 12
    n_annotators: int = 16
    seconds: float = 20.0
    n_open_objects: int = 0
    n_flows: int = 5


def bench(config: BenchConfig, *, report: Report = lambda step: None) -> dict[str, Any]:
    """Return all figures, as JSON has them.

    Args:
        config: What to measure.
        report: Told what is being measured.

    Raises:
        ConfigError: Unknown segmenter, network, engine or device.
        CheckpointError: The weights cannot be loaded.
        ServerError: The server does not start.
    """
    figures: dict[str, Any] = {"machine": _machine(), "segmenter": config.segmenter}
    checkpoint = _checkpoint(config)
    if checkpoint is not None:
        report("engine")
        figures["engine"] = compare_engines(
            checkpoint, engine=config.engine, device=config.device, n_repeats=_N_ENGINE_REPEATS
        )
    report("steps")
    figures["steps_ms"], figures["state_bytes"] = _steps(config, checkpoint)
    if config.network is None:
        figures |= _server_figures(config, report)
    return figures


def _machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    capabilities = torch.cpu.get_capabilities()
    names = [line.partition(": ")[2] for line in info.splitlines() if "model name" in line]
    return {
        "processor": names[0] if names else platform.processor(),
        "n_threads": torch.get_num_threads(),
        "bf16": [name for name in ("avx512_bf16", "amx_bf16") if capabilities.get(name)],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
    }


def _checkpoint(config: BenchConfig) -> Checkpoint | None:
    """The network that is compared; None for a segmenter without one."""
    if config.network is not None:
        size = default_input_size(config.network)
        network = NetworkConfig(backbone=config.network, input_size=size)
        weights = build_network(network).state_dict()
        return Checkpoint(version=f"random-{config.network}", config=network, weights=weights)
    if config.segmenter not in _NETWORKS:
        return None
    return load_checkpoint(config.checkpoint or DEFAULT_WEIGHTS)


def _steps(
    config: BenchConfig, checkpoint: Checkpoint | None
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    segmenter: Segmenter
    if config.network is not None and checkpoint is not None:
        segmenter = MfpSegmenter(checkpoint, device=config.device, engine=config.engine)
    else:
        segmenter = load_segmenter(
            config.segmenter,
            checkpoint=config.checkpoint,
            device=config.device,
            engine=config.engine,
        )
    steps, state = {}, {}
    for (width, height), image in _images(config.sizes):
        clicks = [
            Click(x=0.5 * width, y=0.5 * height),
            Click(x=0.45 * width, y=0.6 * height),
        ]
        name = f"{width}x{height}"
        steps_ms = step_ms(segmenter, image, clicks, n_repeats=_N_STEP_REPEATS)
        steps[name] = {step: round(ms, 2) for step, ms in steps_ms.items()}
        state[name] = segmenter.segment(image, clicks).n_bytes
    return steps, state


def _images(sizes: tuple[Size, ...]) -> Iterator[tuple[Size, np.ndarray[Any, Any]]]:
    with tempfile.TemporaryDirectory() as name:
        for size, photo in zip(sizes, make_photos(Path(name), sizes), strict=True):
            with Image.open(Path(name) / photo.name) as image:
                yield size, np.asarray(image.convert("RGB"))


def _settings(config: BenchConfig) -> dict[str, str]:
    return {
        "MFP_SEGMENTER": config.segmenter,
        "MFP_ENGINE": config.engine,
        "MFP_DEVICE": config.device,
        **({"MFP_CHECKPOINT": str(config.checkpoint)} if config.checkpoint else {}),
    }


def _server_figures(config: BenchConfig, report: Report) -> dict[str, Any]:
    n_crowd = min(_N_CROWD_PHOTOS, config.n_annotators)
    n_open = min(_N_OPEN_PHOTOS, config.n_open_objects)
    flow_sizes = [_FLOW_SIZE] if config.n_flows else []
    sizes = [*config.sizes, *flow_sizes, *[_FULL_HD] * n_crowd, *[_12_MEGAPIXELS] * n_open]
    figures: dict[str, Any] = {"clicks": {}}
    with ExitStack() as stack:
        server, photos = stack.enter_context(
            bench_server(sizes, settings=_settings(config), tray=_FLOW_SIZE)
        )
        tray = photos.pop()
        rest = iter(photos)
        if n_open:
            report("memory")
            figures["open_objects"] = measure_open_objects(
                server, photos[-n_open:], n_objects=config.n_open_objects
            )
        for number, (width, height) in enumerate(config.sizes):
            report(f"clicks at {width}x{height}")
            figures["clicks"][f"{width}x{height}"] = measure_clicks(
                server.url, 1000 + number, next(rest), n_objects=config.n_objects
            )
        if config.n_flows:
            report("flows")
            figures["flows"] = measure_flows(server.url, next(rest), tray, n_objects=config.n_flows)
        if config.n_annotators:
            report(f"{config.n_annotators} annotators")
            shared = [next(rest) for _ in range(n_crowd)]
            figures["annotators"] = measure_crowd(
                server.url, shared, n_annotators=config.n_annotators, seconds=config.seconds
            )
        figures["server_memory_mb"] = round(memory_mb(server.process.pid), 1)
    return figures
