"""Options of the commands that use a cluster, and who works on a batch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from backend.cluster.places import without_secrets
from backend.commands.parsing import auto_or_count, of
from backend.finding.each import Each, here
from mfp_model.errors import ConfigError

if TYPE_CHECKING:
    from backend.cluster.batch import BatchWork

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_NOT_SENT = ("environment", "problems", "parser", "run")


def add_ray(parser: argparse.ArgumentParser, words: str) -> None:
    """Add `--ray`, `--address` and `--replicas`."""
    parser.add_argument("--ray", action="store_true", help=words)
    add_replicas(parser)


def add_replicas(parser: argparse.ArgumentParser) -> None:
    """Add `--address` and `--replicas`."""
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="of a Ray that runs; default: one on this machine"
    )
    parser.add_argument(
        "--replicas",
        type=of(auto_or_count()),
        metavar="N",
        help="auto (default) for one a GPU, or for each group of cores",
    )


def check_ray(options: argparse.Namespace) -> None:
    """Refuse what is for a cluster where none is asked for.

    Raises:
        ConfigError: There is no `--ray`.
    """
    for option in ("address", "replicas"):
        if getattr(options, option) is not None and not options.ray:
            raise ConfigError(f"--{option}: expected --ray with it")


def sendable(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options that another process may have: no password, and nothing of this one."""
    kept = {
        name: value.absolute() if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name not in _NOT_SENT
    }
    return argparse.Namespace(**{**kept, "settings": without_secrets(options.settings)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workers(Generic[Item, Answer]):
    """Who works on a batch.

    Attributes:
        each: Items -> each with what came of it.
        version: The model version of what is made.
    """

    each: Each[Item, Answer]
    version: str


@contextmanager
def workers_of(
    options: argparse.Namespace,
    load: Callable[[], BatchWork[Item, Answer]],
    give_up: Callable[[Item, str], Answer],
) -> Iterator[Workers[Item, Answer]]:
    """Have workers as the options say: this process, or a cluster's.

    Args:
        options: Those of `add_ray`, `device` and the settings.
        load: Loads the networks; it can be pickled.
        give_up: Returns what comes of an item that nobody can work on, given why.

    Raises:
        ConfigError: Ray is not installed.
        MfpError: No worker can work.
    """
    if not options.ray:
        work = load()
        yield Workers(each=here(work.answer), version=work.version)
        return
    from backend.cluster.connecting import connected, prepare
    from backend.cluster.places import Plan

    address = options.address or ""
    prepare(address, options.environment)
    settings = replace(options.settings, device=options.device)
    plan = Plan.of(settings, address, options.replicas or 0)
    with connected(address, n_cpus=plan.n_cpus):
        from backend.cluster.batch import loaded_with
        from backend.cluster.spreading import Spread

        n_threads = plan.settings.n_torch_threads
        n_workers, has_gpus = plan.places()
        spread = Spread(
            partial(loaded_with, n_threads, load),
            give_up,
            n_workers=n_workers,
            n_threads=n_threads,
            has_gpus=has_gpus,
        )
        try:
            yield Workers(each=spread, version=spread.version)
        finally:
            spread.end()
