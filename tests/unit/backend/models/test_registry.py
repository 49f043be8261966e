import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend.models.registry import ModelRegistry
from backend.models.serving import Histories, RegistryError
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from mfp_model.errors import CheckpointError
from tests.registries import registry_in


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    models = registry_in(tmp_path / "models")
    for version in ("v1", "v2", "v3"):
        for name in ("checkpoint", "report"):
            (tmp_path / name).write_text(f"{name} of {version}")
        manifest = {"base": "lite2", "passes": True}
        models.add(version, tmp_path / "checkpoint", tmp_path / "report", manifest)
    return models


def test_versions_are_listed_with_what_is_known_of_them(registry: ModelRegistry) -> None:
    first, *_ = registry.versions()
    assert (first.version, first.manifest["base"]) == ("v1", "lite2")
    assert registry.checkpoint("v1").read_text() == "checkpoint of v1"
    assert registry.names() == {"v1", "v2", "v3"}


def test_a_project_has_its_own_version_or_the_global_one(registry: ModelRegistry) -> None:
    assert registry.serving().version("14") is None
    registry.promote("v1")
    registry.promote("v2", project="14")
    assert registry.serving().version("14") == "v2"
    assert registry.serving().version("15") == "v1"
    assert registry.serving().versions() == {"v1", "v2"}


def test_a_rollback_lets_the_one_before_serve(registry: ModelRegistry) -> None:
    registry.promote("v1", project="14")
    registry.promote("v2", project="14")
    registry.promote("v2", project="14")
    assert registry.rollback(project="14") == "v1"
    assert registry.rollback(project="14") is None
    assert registry.serving().version("14") is None
    with pytest.raises(RegistryError, match="project 14: nothing was promoted"):
        registry.rollback(project="14")


def test_what_serves_cannot_be_deleted(registry: ModelRegistry) -> None:
    registry.promote("v1", project="14")
    registry.promote("v2", project="14")
    with pytest.raises(RegistryError, match="serves"):
        registry.delete("v2")
    registry.delete("v1")
    assert registry.names() == {"v2", "v3"}
    assert registry.rollback(project="14") is None
    with pytest.raises(RegistryError, match="unknown"):
        registry.promote("v1")


def test_a_checkpoint_file_is_taken_with_what_lies_beside_it(
    registry: ModelRegistry, tmp_path: Path, tiny_checkpoint: Checkpoint
) -> None:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    (tmp_path / "mine.json").write_text('{"passes": false}')
    assert registry.add_file(path) == registry.add_file(path) == "tiny-1"
    assert registry.version("tiny-1").manifest["passes"] is False
    save_checkpoint(tiny_checkpoint, path, bits=16)
    with pytest.raises(RegistryError, match="other weights"):
        registry.add_file(path)


def test_a_file_that_could_never_serve_is_not_taken(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "others.safetensors"
    save_file({"a": np.zeros(1, dtype=np.float32)}, path, {"version": "others-1"})
    with pytest.raises(CheckpointError, match="damaged or of another kind"):
        registry.add_file(path)
    assert registry.names() == {"v1", "v2", "v3"}


@pytest.mark.parametrize("name", ["../v1", "", ".v1", "v1/..", "x" * 90])
def test_a_name_that_leaves_the_folder_is_unknown(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(RegistryError):
        registry.version(name)
    with pytest.raises(RegistryError):
        registry.add(name, Path("c"), Path("r"), {})


def test_each_change_is_seen_by_its_stamp(registry: ModelRegistry) -> None:
    stamps = [registry.stamp()]
    for change in (lambda: registry.promote("v1"), lambda: registry.rollback()):
        change()
        stamps.append(registry.stamp())
    assert len(set(stamps)) == 3


def test_promotions_at_the_same_time_are_all_kept(registry: ModelRegistry) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: registry.promote("v1", project=str(n)), range(40)))
    assert len(registry.serving().histories) == 40


def test_a_version_that_is_added_several_times_at_once_is_there_for_each(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    weights = tmp_path / "checkpoint"
    weights.write_bytes(b"weights" * 100_000)

    def promote(project: int) -> None:
        registry.add("v4", weights, None, {})
        registry.promote("v4", project=str(project))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(promote, range(40)))
    assert len(registry.serving().histories) == 40
    assert registry.checkpoint("v4").read_bytes() == weights.read_bytes()


def test_a_damaged_file_is_an_error_and_not_nothing(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    (tmp_path / "models" / "serving.json").write_text("{")
    with pytest.raises(RegistryError, match="damaged"):
        registry.serving()
    with pytest.raises(RegistryError, match="damaged"):
        registry.promote("v1")
    (tmp_path / "models" / "serving.json").write_text(json.dumps({"global": ["v1"]}))
    assert registry.serving().version("") == "v1"


@pytest.mark.parametrize(
    "content", ["[]", "null", '{"global": "v1"}', '{"global": [1]}', '{"global": {"v1": 1}}']
)
def test_a_file_of_another_form_is_damaged(
    registry: ModelRegistry, tmp_path: Path, content: str
) -> None:
    (tmp_path / "models" / "serving.json").write_text(content)
    with pytest.raises(RegistryError, match="damaged"):
        registry.serving()


@pytest.mark.parametrize("content", ["{", "[]", "3", "\0"])
def test_one_damaged_manifest_does_not_hide_the_other_versions(
    registry: ModelRegistry, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models" / "v2" / "manifest.json").write_text(content)
    assert [version.version for version in registry.versions()] == ["v1", "v3"]
    assert "v2/manifest.json: damaged" in caplog.text


def test_a_manifest_with_an_odd_time_is_listed(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "models" / "v3" / "manifest.json").write_text('{"added": "yesterday"}')
    assert [version.version for version in registry.versions()] == ["v3", "v1", "v2"]


def test_a_version_that_has_no_room_leaves_nothing_there(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        registry.add("v4", tmp_path / "checkpoint", None, {})
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {".adding", "v1", "v2", "v3"}


@pytest.mark.parametrize("act", [ModelRegistry.promote, ModelRegistry.delete])
def test_a_version_that_is_deleted_just_before_is_unknown(
    registry: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[ModelRegistry, str], None],
) -> None:
    changing = registry._serving.changing

    @contextmanager
    def after_another() -> Iterator[Histories]:
        monkeypatch.undo()
        registry.delete("v1")
        with changing() as histories:
            yield histories

    monkeypatch.setattr(registry._serving, "changing", after_another)
    with pytest.raises(RegistryError, match="'v1': unknown"):
        act(registry, "v1")
    assert registry.serving().versions() == set()


def test_what_a_kill_left_of_a_version_is_none_and_in_nobodys_way(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    for left in (".v1.deleted", ".v4.partial"):
        shutil.copytree(models / "v1", models / left)
    assert registry.names() == {"v1", "v2", "v3"}
    assert [version.version for version in registry.versions()] == ["v1", "v2", "v3"]
    registry.delete("v1")
    assert registry.names() == {"v2", "v3"}


@pytest.mark.parametrize(
    "content", ["", '[{"id": 1, "annotations": []}]', "{}", '{"passes": true, "version": "tiny-2"}']
)
def test_what_lies_beside_a_checkpoint_and_is_not_its_manifest_is_passed_over(
    registry: ModelRegistry, tmp_path: Path, tiny_checkpoint: Checkpoint, content: str
) -> None:
    save_checkpoint(tiny_checkpoint, tmp_path / "mine.safetensors")
    (tmp_path / "mine.json").write_text(content)
    assert registry.add_file(tmp_path / "mine.safetensors") == "tiny-1"
    assert registry.version("tiny-1").manifest.keys() == {"version", "added"}
