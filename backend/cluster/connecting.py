"""This process's connection with Ray: on this machine's loopback, or with a cluster that is there.

Whoever reaches Ray's ports can run anything. So a Ray of our own listens on the loopback address
only, and asks for a token that nobody else knows.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import secrets
import signal
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from backend.cluster.messages import MESSAGE_LIMIT, ClusterError
from mfp_model.errors import ConfigError

_log = logging.getLogger(__name__)
_OBJECTS_BYTES = 200_000_000  # of a Ray of our own: what is on its way between processes
_SIGACTION_BYTES = 512  # more than any C library's
_SETTINGS = {
    **MESSAGE_LIMIT,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",  # 2 ms of a click less than through shared memory
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def prepare(address: str, environment: MutableMapping[str, str]) -> None:
    """Set what Ray reads in this process and those that it starts.

    Args:
        address: Of a Ray that runs; empty for one of our own.
        environment: This process's.

    Raises:
        ConfigError: Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--ray: Ray is not installed; pip install '.[ray]'")
    for name, value in _SETTINGS.items():
        environment.setdefault(name, value)
    if address:
        if environment.get("RAY_AUTH_MODE") != "token":
            _log.warning(
                "RAY_AUTH_MODE is not `token`: whoever reaches the ports of the Ray at %s can run "
                "anything on its machines",
                address,
            )
        return
    environment["RAY_AUTH_MODE"] = "token"
    environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # what binds to loopback everywhere
    environment.setdefault("RAY_worker_niceness", "0")  # people wait for its replicas


def connect(address: str, *, n_cpus: int = 0) -> str:
    """Connect with Ray, or start one on this machine, and return its address.

    Args:
        address: Of a Ray that runs; empty to start one, which ends with this process.
        n_cpus: How many cores that one gives away.

    Raises:
        ClusterError: There is none at the address.
    """
    import ray

    own: dict[str, Any] = {
        "num_cpus": n_cpus,
        "object_store_memory": _OBJECTS_BYTES,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }
    try:
        with _own_way_to_end():
            context = ray.init(
                address=address or "local",
                ignore_reinit_error=True,  # what came after it has failed, and is tried again
                log_to_driver=False,
                configure_logging=False,
                **({} if address else own),
            )
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise ClusterError(f"Ray at {address or 'this machine'}: {error}") from error
    return str(context.address_info["gcs_address"])


@contextmanager
def connected(address: str, *, n_cpus: int = 0) -> Iterator[None]:
    """Be connected as by `connect`; a Ray that it started ends with the context."""
    import ray

    connect(address, n_cpus=n_cpus)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_way_to_end() -> Iterator[None]:
    """Keep what this process does at SIGTERM: Ray's handler ends it three seconds later."""
    libc = ctypes.CDLL(None)
    before = ctypes.create_string_buffer(_SIGACTION_BYTES)
    libc.sigaction(signal.SIGTERM, None, before)
    try:
        yield
    finally:
        libc.sigaction(signal.SIGTERM, before, None)
