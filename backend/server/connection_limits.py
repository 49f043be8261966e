"""What a client of a worker may do, and how many may at a time."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

_log = logging.getLogger(__name__)
_HEADER_S = 20.0
_SLOWEST_BYTES_PER_S = 20_000
_MAX_CONNECTIONS = 1000
_FEWEST_CONNECTIONS = 10
_FILES_EACH = 3  # of a connection: its own, and those of a large body and of a large answer
_SPARE_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a client may do.

    Attributes:
        n_threads: That answer.
        max_body_bytes: Larger bodies are answered 413.
        may_enter: Whether these headers (upper case, underscores) carry the password.
        max_connections: The longest idle one makes room for one more.
        header_s: For a request's first line and headers.
        slowest_bytes_per_s: A body must arrive, and an answer be taken, at least so fast.
    """

    n_threads: int
    max_body_bytes: int
    may_enter: Callable[[Mapping[str, str]], bool]
    max_connections: int = _MAX_CONNECTIONS
    header_s: float = _HEADER_S
    slowest_bytes_per_s: float = _SLOWEST_BYTES_PER_S


def within_open_files(limits: ConnectionLimits) -> ConnectionLimits:
    """Return limits for which this process may open files enough; it may open more from now on.

    Where it may not open more, nobody's connection is accepted, not even `/health`'s.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_EACH * limits.max_connections + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft = max(soft, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= wanted:
        return limits
    n_connections = max(_FEWEST_CONNECTIONS, (soft - _SPARE_FILES) // _FILES_EACH)
    _log.warning(
        "only %d connections at a time: the system lets a process open %d files (ulimit -n), "
        "expected %d",
        n_connections,
        soft,
        wanted,
    )
    return replace(limits, max_connections=min(limits.max_connections, n_connections))
