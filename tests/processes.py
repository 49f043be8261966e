"""Which processes run, and which of them a process has started."""

from __future__ import annotations

from pathlib import Path


def processes() -> dict[int, tuple[int, str]]:
    """Return parent and command by process."""
    running = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        running[int(folder.name)] = parent, command
    return running


def descendants(root: int, command: str = "") -> list[int]:
    """Return the processes that one has started, and so on, whose command has some words."""
    running = processes()

    def is_below(pid: int) -> bool:
        parent = running.get(pid, (0, ""))[0]
        return parent == root or (parent > 1 and is_below(parent))

    return [pid for pid, (_, words) in running.items() if command in words and is_below(pid)]


def children(parent: int, command: str) -> set[int]:
    """Return the processes that one has started itself, whose command has some words."""
    return {
        pid for pid, (above, words) in processes().items() if above == parent and command in words
    }
