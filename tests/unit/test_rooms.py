"""Who may import whom, read off the syntax trees; an import for types alone counts, too."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_MODEL_FLOORS = """errors files names image_cache | prompts weights networks
    | masks checkpoints engines drawing | frames data graph_cut | prediction training | segmenter
    | finding | segmenters | loading evaluation | fine_tuning"""  # each uses the ones before it
_LOWEST = "settings environment storage monitoring label_studio models images exchange finding"
_BACKEND = {  # beside `mfp_model`
    "environment": "",
    "background": "",
    "cores": "",
    "storage": "",
    "settings": "environment",
    "monitoring": "storage",
    "label_studio": "background settings",
    "models": "settings storage",
    "images": "label_studio settings environment storage",
    "exchange": "label_studio images storage",
    "finding": "background exchange images label_studio models monitoring settings storage",
    "answering": "background finding images label_studio models monitoring storage",
    "recording": "answering images label_studio storage",
    "learning": "recording exchange images label_studio models settings storage",
    "cluster": "answering cores images models settings storage",
    "server": f"{_LOWEST} background cores answering recording learning cluster",
    "demo": "label_studio",
    "bench": "demo label_studio",
    "commands": f"{_LOWEST} background cores answering recording learning cluster demo bench",
    "cli": "commands cores environment server settings",
    "reference": "cli settings environment",
}


def _table() -> dict[str, set[str]]:
    table = {
        f"backend.{room}": {f"backend.{name}" for name in _BACKEND[room].split()}
        for room in _BACKEND
    }
    below: set[str] = set()
    for floor in _MODEL_FLOORS.split("|"):
        rooms = {f"mfp_model.{name}" for name in floor.split()}
        table |= dict.fromkeys(rooms, set(below))
        below |= rooms
    return {
        room: may | (below if room.startswith("backend") else set()) for room, may in table.items()
    }


def _modules() -> dict[str, Path]:
    paths = [path for name in ("mfp_model", "backend") for path in (_ROOT / name).rglob("*.py")]
    named = {".".join(path.relative_to(_ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


_TABLE, _MODULES = _table(), _modules()


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(_MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in _MODULES else node.module for name in names)


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("room", sorted(_TABLE))
def test_a_room_uses_only_rooms_that_the_table_allows(room: str) -> None:
    for module in (name for name in _MODULES if _room(name) == room):
        for name in _imports(module):
            other, package = _room(name), name.split(".")[0]
            if package in ("mfp_model", "backend"):
                assert other == room or other in _TABLE[room], f"{module} uses {name}"
            knows_servers = room.startswith("backend")
            assert knows_servers or package not in ("flask", "requests"), f"{module} uses {name}"


def test_every_module_has_a_room_in_the_table() -> None:
    assert {_room(module) for module in _MODULES} - set(_TABLE) <= {"mfp_model", "backend"}


def test_no_files_import_each_other_in_a_circle() -> None:
    arrows = {
        module: {name for name in _imports(module) if name in _MODULES}
        for module in set(_MODULES) - {"mfp_model"}  # the face, whose names load on first use
    }
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


def test_torchvision_is_loaded_by_trainings_and_by_networks_of_its_own_alone() -> None:
    """It takes as long and as much memory as torch: no click waits for it."""
    at_once = {
        module
        for module, path in _MODULES.items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torchvision")
    }
    assert at_once == {"mfp_model.training.samples"}
