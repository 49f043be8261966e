"""`mfp models`: fine-tuned versions, and which of them serve."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import add_project
from backend.commands.parsing import Commands, add_json
from backend.commands.printing import show, table

if TYPE_CHECKING:
    from backend.models.registry import ModelRegistry


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("models", "fine-tuned versions, and which of them serve")
    add_json(group.add("list", "show all versions with the verdicts on them", _list))
    promote = group.add("promote", "let a version serve", _promote)
    promote.add_argument("version", metavar="VERSION|FILE", help="listed, or a checkpoint's file")
    rollback = group.add("rollback", "let the version before serve again", _rollback)
    for parser in (promote, rollback):
        add_project(parser, "default: all projects that have none of their own")
    delete = group.add("delete", "remove a version that does not serve", _delete)
    delete.add_argument("version", metavar="VERSION", help="one that is listed")


def _registry(options: argparse.Namespace) -> ModelRegistry:
    from backend.models.registry import model_registry
    from backend.storage.shared_state import SharedState

    settings = options.settings
    return model_registry(SharedState(*settings.places))


def _list(options: argparse.Namespace) -> None:
    from backend.models.serving import scope_words

    registry = _registry(options)
    serving = registry.serving()
    versions: list[dict[str, Any]] = []
    for entry in registry.versions():
        serves = serving.scopes(entry.version)
        verdict = {key: entry.manifest.get(key) for key in ("base", "passes", "reason")}
        versions.append({"version": entry.version, "serves": serves, **verdict})
    lines = [f"no fine-tuned versions in {options.settings.data_dir}; the checkpoint serves"]
    if versions:
        rows = [
            (v["version"], ", ".join(map(scope_words, v["serves"])) or None, v["passes"])
            for v in versions
        ]
        reasons = [f"{v['version']}: {v['reason']}" for v in versions if v["reason"]]
        lines = [*table(("version", "serves", "passes"), rows), *reasons]
    show(options, {"versions": versions}, lines)


def _promote(options: argparse.Namespace) -> None:
    registry = _registry(options)
    path = Path(options.version)
    version = registry.add_file(path) if path.is_file() else options.version
    registry.promote(version, project=_project(options))
    print(version)


def _rollback(options: argparse.Namespace) -> None:
    version = _registry(options).rollback(project=_project(options))
    print(version or "the checkpoint of the settings")


def _delete(options: argparse.Namespace) -> None:
    _registry(options).delete(options.version)
    print(f"{options.version} is deleted")


def _project(options: argparse.Namespace) -> str | None:
    return None if options.project is None else str(options.project)
