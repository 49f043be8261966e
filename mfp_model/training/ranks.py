"""Several processes on one run, as `torchrun` or a cluster starts them, each with a GPU or cores.

Each has its own samples; gradients and normalisation statistics are averaged every step, so
that all hold the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, distributed, nn


def join(local_rank: int) -> None:
    """Join the run that `torchrun` started, on a GPU or a CPU core of this process's own."""
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
        distributed.init_process_group("nccl")
    else:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo")


def leave() -> None:
    """Leave the run, if there is one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def n_ranks() -> int:
    """Return the number of processes in the run."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(network: nn.Module) -> None:
    """Replace gradients and running statistics by their means over all ranks, in place."""
    if n_ranks() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    _average([*gradients, *statistics])


def gathered(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every rank's value, by rank."""
    values: list[Any] = [value] * n_ranks()
    if n_ranks() > 1:
        distributed.all_gather_object(values, value)
    return values


def mean(values: Iterable[float]) -> list[float]:
    """Return the means of some numbers over all ranks."""
    numbers = torch.tensor(list(values), dtype=torch.float64)
    if n_ranks() > 1:
        if distributed.get_backend() == "nccl":
            numbers = numbers.cuda()
        distributed.all_reduce(numbers)
    return [float(number) / n_ranks() for number in numbers]


def _average(tensors: list[Tensor]) -> None:
    with torch.no_grad():
        joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(joined)
        sizes = [tensor.numel() for tensor in tensors]
        parts = torch.split(joined.div_(n_ranks()), sizes)
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))
