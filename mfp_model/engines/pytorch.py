"""PyTorch, on the CPU or with CUDA."""

from __future__ import annotations

import logging
import threading

import torch
from torch import Tensor

from mfp_model.engines.agreement import disagreement
from mfp_model.engines.engine import Engine
from mfp_model.networks.network import Answer, ClickNetwork

_log = logging.getLogger(__name__)
_N_WARM_UPS = 3


class PyTorchEngine(Engine):
    """The network itself in channels-last; with CUDA, single inputs replay a CUDA graph."""

    def __init__(self, network: ClickNetwork, device: torch.device, *, is_bf16: bool) -> None:
        """Move a network to the device.

        Args:
            network: In evaluation mode; it is changed.
            device: Where to.
            is_bf16: Compute in bfloat16 what autocast thinks safe.
        """
        super().__init__(network, is_bf16=is_bf16)
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._graph = self._captured() if device.type == "cuda" else None

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"pytorch {'bf16' if self.is_bf16 else 'f32'}"

    def __call__(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        """Return the answer, see `Engine`."""
        if self._graph is not None and image.shape[0] == 1:
            return self._graph(image, maps, click_maps)
        return self._plain(image, maps, click_maps)

    def _plain(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.is_bf16):
            answer = self._network(image, maps, click_maps)
        return Answer(*(part.float() for part in answer))

    def _captured(self) -> _Graph | None:
        """A graph that answers as the network does, or None."""
        size = self.config.input_size
        inputs = tuple(
            torch.rand(1, n, size, size, dtype=torch.float32, device=self._device)
            for n in (3, 2, 2)
        )
        try:
            with torch.inference_mode():
                graph = _Graph(self, inputs)
                expected, logits = self._plain(*inputs).logits, graph(*inputs).logits
        except RuntimeError as error:
            _log.warning("without a CUDA graph, which cannot be captured: %s", error)
            return None
        if problem := disagreement(logits, expected, is_bf16=self.is_bf16):
            _log.warning("without a CUDA graph: %s", problem)
            return None
        return graph


class _Graph:
    """One recorded run of the network: its many kernels are started at once."""

    def __init__(self, engine: PyTorchEngine, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(part.clone() for part in inputs)
        self._lock = threading.Lock()  # of the inputs' and the output's memory
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_N_WARM_UPS):
                engine._plain(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may go on allocating, as when new weights are loaded beside clicks.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._output = engine._plain(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Answer:
        with self._lock:
            for kept, given in zip(self._inputs, inputs, strict=True):
                kept.copy_(given)
            self._graph.replay()
            return Answer(*(part.clone() for part in self._output))
