"""OpenVINO on the CPU: about twice as fast as PyTorch there."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.engines.engine import Engine
from mfp_model.networks.network import Answer, ClickNetwork

_TELEMETRY = "openvino_telemetry"


class OpenVinoEngine(Engine):
    """A network compiled for single inputs; a batch is computed one by one.

    Its logits are the same bytes whatever the number of threads. Those of the IoU are a mean over
    the whole map, which each number adds up in another order: their last digits can differ.
    """

    def __init__(self, network: ClickNetwork, *, is_bf16: bool) -> None:
        """Compile a network for as many threads as PyTorch has now.

        Args:
            network: In evaluation mode, on the CPU.
            is_bf16: Compute in bfloat16, where the processor has it.

        Raises:
            ImportError: OpenVINO is not installed.
            RuntimeError: It cannot convert or compile the network.
        """
        super().__init__(network, is_bf16=is_bf16)
        self._precision = "bf16" if is_bf16 else "f32"
        self._compiled = _compiled(network, self._precision)
        self._idle: deque[Any] = deque()  # requests to it, as many as were ever in use at a time

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"openvino {self._precision}"

    def __call__(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        """Return the answer, see `Engine`."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        batch = (np.ascontiguousarray(part.numpy()) for part in (image, maps, click_maps))
        logits: list[NDArray[np.float32]] = []
        iou_logits: list[NDArray[np.float32]] = []
        for inputs in zip(*batch, strict=True):
            request.infer([part[None] for part in inputs], share_inputs=True)
            for index, parts in enumerate((logits, iou_logits)):
                parts.append(np.array(request.get_output_tensor(index).data))
        self._idle.append(request)
        answers = (torch.from_numpy(np.concatenate(parts)) for parts in (logits, iou_logits))
        return Answer(*answers)


def _compiled(network: ClickNetwork, precision: str) -> Any:  # noqa: ANN401, OpenVINO's
    import_silently()
    # `convert_model` would do the same, but also report its use to its makers.
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    size = network.config.input_size
    shapes = [[1, n_channels, size, size] for n_channels in (3, 2, 2)]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and tells of shapes that are fixed
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network,
            tuple(torch.zeros(shape, dtype=torch.float32) for shape in shapes),
            check_trace=False,
        )
        decoder = TorchScriptPythonDecoder(traced)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    model.reshape(dict(zip(model.inputs, shapes, strict=True)))
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # several workers would be pinned to the same cores
    }
    return _core().compile_model(model, "CPU", options)


@functools.cache
def import_silently() -> None:
    """Import OpenVINO without its telemetry.

    Otherwise the import alone tells Google Analytics of itself, starts a process for that, and
    leaves an id of this machine in the home folder. Where the package that does so is missing,
    OpenVINO uses a stand-in of its own, and here it is missing as long as the import lasts.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        importlib.import_module("openvino")
        importlib.import_module("openvino.tools.ovc")
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


@functools.cache
def _core() -> Any:  # noqa: ANN401, OpenVINO's
    """The one core of this process, never destroyed.

    Each core gives the thread that made it a stack for signal handlers. If several went in
    another order than they came, that stack would be gone, and the next signal end the process.
    """
    import_silently()
    from openvino import Core

    return Core()
