"""A training whose ranks are processes of a cluster, which Ray Train starts and watches."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.cluster.connecting import connected, prepare
from backend.cluster.messages import ClusterError
from backend.cluster.places import Plan
from mfp_model.errors import MfpError
from mfp_model.training.job import TrainingJob
from mfp_model.training.train import train

_MAX_LOSSES = 3  # of ranks, after each of which all go on from the state that was saved
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 60.0  # until it is said that there is no room
_log = logging.getLogger(__name__)

Folders = tuple[tuple[Path, float], ...]
Event = tuple[str, Any]
"""`begin`, `step`, `problem` or `error`, and what it is."""


def train_on_cluster(
    job: TrainingJob,
    plan: Plan,
    *,
    address: str,
    environment: MutableMapping[str, str],
    report: Callable[[Mapping[str, float]], None],
    should_stop: Callable[[], bool],
    on_problem: Callable[[str], object],
) -> None:
    """Train as `train` does, each rank on a GPU or a group of cores of its own.

    Args:
        job: What to do. All machines mount the folders of its data and of its checkpoint.
        plan: How many ranks, and with how many threads each.
        address: Ray's; empty to start one on this machine.
        environment: This process's.
        report: Called with the first rank's steps.
        should_stop: Asked twice a second; True saves the state and ends.
        on_problem: Told of each image and object that is damaged and so left out.

    Raises:
        ConfigError: Ray is not installed.
        ClusterError: There is no cluster, it is too small, or its ranks are lost again and again.
        MfpError: As `train`.
    """
    prepare(address, environment)
    # Ray ends first, which ends a call to it that the thread waits for.
    with ThreadPoolExecutor(1) as pool, connected(address, n_cpus=plan.n_cpus):
        import ray

        n_ranks, has_gpus = plan.places()
        n_threads = plan.settings.n_torch_threads
        _check_room(n_ranks, n_threads, has_gpus=has_gpus)
        board = ray.remote(num_cpus=0)(_Board).remote()
        # In a thread, since in the main one Ray Train takes Ctrl-C over.
        fitted = pool.submit(_fit, _absolute(job), board, n_ranks, n_threads, has_gpus)
        listeners: dict[str, Callable[[Any], object]] = {
            "begin": lambda _: None,
            "step": report,
            "problem": on_problem,
            "error": _fail,
        }
        _follow(fitted, board, listeners, should_stop)


def _follow(
    fitted: Future[None],
    board: Any,  # noqa: ANN401, an actor of Ray
    listeners: Mapping[str, Callable[[Any], object]],
    should_stop: Callable[[], bool],
) -> None:
    """Pass on what the ranks tell until they have ended, or are stopped before they began."""
    import ray

    until = time.monotonic() + _PATIENCE_S
    has_begun = is_done = False
    while not is_done:
        is_done = bool(wait([fitted], timeout=_LOOK_EVERY_S).done)
        stops = should_stop()
        if stops and not has_begun:
            return
        for kind, value in ray.get(board.taken.remote(stops)):
            has_begun = True
            listeners[kind](value)
        if not has_begun and time.monotonic() > until:
            _log.warning("the training waits for room on the cluster")
            until = math.inf
    fitted.result()


def _fail(error: MfpError) -> None:
    raise error


def _absolute(job: TrainingJob) -> TrainingJob:
    """A job as processes of other working folders can do it."""

    def each(folders: Folders) -> Folders:
        return tuple((folder.absolute(), weight) for folder, weight in folders)

    config = replace(job.config, folders=each(job.config.folders))
    return replace(job, config=config, validation=each(job.validation), out=job.out.absolute())


def _check_room(n_ranks: int, n_threads: int, *, has_gpus: bool) -> None:
    """Refuse what the cluster would never have room for."""
    import ray

    kind, each = ("GPU", 1) if has_gpus else ("CPU", n_threads)
    there = int(ray.cluster_resources().get(kind, 0))
    if there < n_ranks * each:
        raise ClusterError(
            f"{n_ranks} replicas need {n_ranks * each} {kind}s ({each} each), "
            f"the cluster has {there}; see --replicas and MFP_TORCH_THREADS"
        )


def _fit(
    job: TrainingJob,
    board: Any,  # noqa: ANN401, an actor of Ray
    n_ranks: int,
    n_threads: int,
    has_gpus: bool,
) -> None:
    from ray.exceptions import RayError
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    own_files = job.out.with_name(job.out.name + ".ray")
    trainer = TorchTrainer(
        _train_rank,
        train_loop_config={"job": job, "n_threads": n_threads, "board": board},
        scaling_config=ScalingConfig(
            num_workers=n_ranks,
            use_gpu=has_gpus,
            resources_per_worker={"GPU": 1} if has_gpus else {"CPU": n_threads},
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(own_files),
            failure_config=FailureConfig(max_failures=_MAX_LOSSES),
        ),
    )
    try:
        trainer.fit()
    except (TrainingFailedError, RayError) as error:
        raise ClusterError(f"training on the cluster: {error}") from error
    finally:
        shutil.rmtree(own_files, ignore_errors=True)


def _train_rank(given: Mapping[str, Any]) -> None:
    """Train as one of the ranks, which Ray has joined already."""
    import ray
    import torch
    from ray.train import get_context
    from ray.train.torch import get_device

    job, board = given["job"], given["board"]
    device = get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.set_num_threads(given["n_threads"])
    is_first = get_context().get_world_rank() == 0
    stops = False

    def tell(kind: str, value: object) -> None:
        nonlocal stops
        if is_first:
            stops = ray.get(board.tell.remote(kind, value))

    tell("begin", None)
    try:
        train(
            replace(job, device=device.type),
            report=lambda step: tell("step", dict(step)),
            should_stop=lambda: stops,
            on_problem=lambda problem: tell("problem", problem),
        )
    except MfpError as error:  # another try would end in the same way
        ray.get(board.tell.remote("error", error))


class _Board:
    """What ranks and the command tell one another; an actor of Ray."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._stops = False

    def tell(self, kind: str, value: object) -> bool:
        """Tell something, and return whether to stop."""
        self._events.append((kind, value))
        return self._stops

    def taken(self, stops: bool) -> list[Event]:
        """Return what was told since, and have the ranks stop."""
        self._stops |= stops
        events, self._events = self._events, []
        return events
