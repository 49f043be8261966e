import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mfp_model import Click, load_segmenter
from mfp_model.checkpoints.checkpoint import Checkpoint, build_network
from mfp_model.engines import BF16_TOLERANCE, F32_TOLERANCE, engine_choice
from mfp_model.engines.agreement import disagreement
from mfp_model.engines.device import best_device, has_fast_bf16
from mfp_model.engines.engine_choice import check_engine, make_engine
from mfp_model.engines.openvino import OpenVinoEngine
from mfp_model.engines.pytorch import PyTorchEngine
from mfp_model.errors import ConfigError
from mfp_model.names import BACKBONES, ENGINES, UNET
from mfp_model.networks.network import Answer, ClickNetwork, NetworkConfig

_CPU = torch.device("cpu")


def _inputs(size: int, n_batch: int = 1, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    image, maps, click_maps = (
        torch.rand(n_batch, n, size, size, generator=random) for n in (3, 2, 2)
    )
    return image, maps, click_maps


def _network(backbone: str, size: int) -> ClickNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build_network(NetworkConfig(backbone=backbone, input_size=size)).eval()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [*BACKBONES, UNET])
def test_every_network_answers_alike_in_openvino(backbone: str) -> None:
    network = _network(backbone, 96)
    engine = make_engine("openvino", network, _CPU)
    assert engine.name.startswith("openvino ")
    assert engine.config == network.config
    assert engine.uses_maps == network.uses_maps
    inputs = _inputs(96)
    with torch.inference_mode():
        expected, actual = network(*inputs).logits, engine(*inputs).logits
    assert disagreement(actual, expected, is_bf16=has_fast_bf16(_CPU)) is None


@pytest.mark.slow
def test_openvino_answers_the_same_bytes_again_with_any_number_of_threads_and_callers(
    tiny_checkpoint: Checkpoint,
) -> None:
    engine = make_engine("openvino", tiny_checkpoint.network(), _CPU)
    torch.set_num_threads(2)
    other = make_engine("openvino", tiny_checkpoint.network(), _CPU)
    torch.set_num_threads(1)
    cases = [_inputs(64, seed=seed) for seed in range(8)]
    expected = [engine(*inputs).logits for inputs in cases]
    for inputs, logits in zip(cases, expected, strict=True):
        assert torch.equal(other(*inputs).logits, logits)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda inputs: engine(*inputs).logits, cases * 3))
    assert all(torch.equal(a, b) for a, b in zip(answers, expected * 3, strict=True))


def test_a_batch_is_its_samples(tiny_checkpoint: Checkpoint) -> None:
    engine = make_engine("openvino", tiny_checkpoint.network(), _CPU)
    batch = _inputs(64, n_batch=3)
    together = engine(*batch).logits
    for index in range(3):
        alone = engine(*(part[index : index + 1] for part in batch)).logits
        assert torch.equal(alone[0], together[index])


def test_pytorch_in_bfloat16_stays_within_its_tolerance(tiny_checkpoint: Checkpoint) -> None:
    network = tiny_checkpoint.network()
    engine = PyTorchEngine(tiny_checkpoint.network(), _CPU, is_bf16=True)
    assert engine.name == "pytorch bf16"
    with torch.inference_mode():
        check_engine(engine, network)


def test_without_openvino_pytorch_computes_and_says_so(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino.frontend", None)
    with caplog.at_level(logging.WARNING):
        engine = make_engine("auto", tiny_checkpoint.network(), _CPU)
    assert engine.name.startswith("pytorch ")
    assert "OpenVINO cannot be used" in caplog.text
    with pytest.raises(ConfigError, match="openvino cannot be used"):
        make_engine("openvino", tiny_checkpoint.network(), _CPU)


@pytest.mark.parametrize("kind", ["pytorch", "openvino"])
def test_a_named_precision_counts_on_processors_with_fast_bfloat16(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(engine_choice, "has_fast_bf16", lambda device: True)
    engine = make_engine(f"{kind}-f32", tiny_checkpoint.network(), _CPU)
    assert engine.name == f"{kind} f32"
    network, inputs = tiny_checkpoint.network(), _inputs(64)
    with torch.inference_mode():
        expected, actual = network(*inputs).logits.sigmoid(), engine(*inputs).logits.sigmoid()
    assert float((expected - actual).abs().max()) <= F32_TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("is_bf16", [False, True])
def test_an_engine_that_answers_something_else_is_not_used(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, is_bf16: bool
) -> None:
    monkeypatch.setattr(
        engine_choice, "has_fast_bf16", lambda device: is_bf16
    )  # with such instructions and without
    network = tiny_checkpoint.network()
    engine = OpenVinoEngine(network, is_bf16=is_bf16)
    check_engine(engine, network)
    call = OpenVinoEngine.__call__
    monkeypatch.setattr(OpenVinoEngine, "__call__", _shifted(call))
    with pytest.raises(ConfigError, match="differ from PyTorch's"):
        check_engine(engine, network)
    assert make_engine("auto", network, _CPU).name.startswith("pytorch ")


def test_in_bfloat16_single_probabilities_may_be_rounded_by_more_and_their_mean_counts() -> None:
    expected = torch.zeros(1, 1, 64, 64)
    actual = expected.clone()
    actual[..., 0, 0] = 1.0
    assert disagreement(actual, expected, is_bf16=True) is None
    problem = disagreement(actual, expected, is_bf16=False)
    assert problem
    assert "largest difference 0.23, expected at most 0.0001" in problem
    problem = disagreement(actual + 0.2, expected, is_bf16=True)
    assert problem
    assert f"mean difference 0.05, expected at most {BF16_TOLERANCE}" in problem
    assert disagreement(actual * float("nan"), expected, is_bf16=True)


def _shifted(call: Callable[..., Answer]) -> Callable[..., Answer]:
    def shifted(*given: object) -> Answer:
        answer = call(*given)
        return answer._replace(logits=answer.logits + 1.0)

    return shifted


@pytest.mark.slow
def test_signals_are_handled_after_engines_went_in_the_order_they_came() -> None:
    code = """
import faulthandler, gc, os, signal
from mfp_model.engines.device import best_device
from mfp_model.engines.openvino import OpenVinoEngine
from mfp_model.networks.network import MfpNetwork, NetworkConfig
faulthandler.enable()  # its handlers, and then Python's, use a stack of their own
signal.signal(signal.SIGUSR1, lambda *given: print("handled"))
config = NetworkConfig(input_size=64)
engines = [OpenVinoEngine(MfpNetwork(config).eval(), is_bf16=False) for _ in range(2)]
while engines:
    del engines[0]
    gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_wrong_names_are_refused(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(ConfigError, match=ENGINES[-1]):
        make_engine("steam", tiny_checkpoint.network(), _CPU)
    with pytest.raises(ConfigError, match="expected device cpu"):
        make_engine("openvino", tiny_checkpoint.network(), torch.device("cuda"))


@pytest.mark.slow
def test_masks_are_the_same_by_either_engine() -> None:
    path = Path(__file__).parents[4] / "backend" / "demo" / "photos" / "coffee.jpg"
    image = np.asarray(Image.open(path).convert("RGB"))
    clicks = [Click(x=300, y=200), Click(x=100, y=350, is_positive=False), Click(x=420, y=260)]
    plain, fast = (
        load_segmenter(engine=engine, device="cpu").segment(image, clicks)
        for engine in ("pytorch", "openvino")
    )
    difference = np.abs(plain.probability_map - fast.probability_map)
    if has_fast_bf16(_CPU):  # how much a single one differs depends on the processor
        assert difference.mean() <= BF16_TOLERANCE / 10
    else:
        assert difference.max() <= F32_TOLERANCE
    assert (plain.mask & fast.mask).sum() >= 0.995 * (plain.mask | fast.mask).sum()


@pytest.mark.parametrize(
    ("flag", "expected"), [("avx512_f", False), ("avx512_bf16", True), ("amx_bf16", True)]
)
def test_bfloat16_needs_instructions_of_its_own(
    flag: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True})
    assert has_fast_bf16(_CPU) is expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_cuda_graph_answers_as_the_network_does(tiny_checkpoint: Checkpoint) -> None:
    device = torch.device("cuda")
    network = tiny_checkpoint.network().to(device)
    engine = make_engine("auto", tiny_checkpoint.network(), device)
    for seed in range(3):
        inputs = tuple(part.to(device) for part in _inputs(64, seed=seed))
        with torch.inference_mode():
            expected, actual = network(*inputs).logits, engine(*inputs).logits
        assert disagreement(actual, expected, is_bf16=has_fast_bf16(device)) is None


def test_a_gpu_that_the_machine_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert best_device("auto") == best_device("cuda") == torch.device("cuda")
    assert best_device("cuda:1") == torch.device("cuda:1")
    for name in ("cuda:2", "mps", "abacus"):
        with pytest.raises(ConfigError, match=name):
            best_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert best_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="not on this machine"):
        best_device("cuda")
