"""Who runs a job: a name by which others on the same machine see whether its process has ended."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PLACE = Path("/proc/self/ns/pid")
_START_FIELD = 19  # of /proc/PID/stat, behind the process's name


def worker_name() -> str:
    """Return this process's name, which no other has, whatever machine it runs on."""
    return f"{socket.gethostname()} {_place()} {os.getpid()} {_start(os.getpid())}"


def has_ended(worker: str) -> bool:
    """Return whether a worker is known to have ended; of other machines nothing is known."""
    words = worker.split()
    if len(words) != 4 or words[1] != _place() or words[1] == "-":
        return False
    return _start(int(words[2])) != words[3]


def _place() -> str:
    """Where process ids mean the same: a boot of a machine, and a container in it."""
    try:
        return f"{_BOOT.read_text().strip()}/{os.readlink(_PLACE)}"
    except OSError:  # not Linux
        return "-"


def _start(pid: int) -> str:
    """When a process began, in ticks; `-` where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "-"
    words = stat.rpartition(")")[2].split()
    return "-" if words[0] in "ZX" else words[_START_FIELD]  # ended, and not yet waited for
