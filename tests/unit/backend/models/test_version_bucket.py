"""Versions in a bucket: what two machines see of each other."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.models.registry import ModelRegistry
from backend.models.serving import RegistryError
from backend.models.version_bucket import fetched
from backend.settings import Settings
from backend.storage.bucket import Bucket
from backend.storage.errors import StorageError
from tests.unit.backend.models.conftest import Machine


def _add(registry: ModelRegistry, folder: Path, version: str, weights: str) -> None:
    (folder / "weights").write_text(weights)
    (folder / "report").write_text(f"report of {version}")
    registry.add(version, folder / "weights", folder / "report", {"base": weights})


def test_a_version_of_one_machine_is_used_by_all(machine: Machine, tmp_path: Path) -> None:
    here, there = machine("a"), machine("b")
    _add(here, tmp_path, "v1", "one")
    _add(there, tmp_path, "v2", "two")
    here.promote("v1")
    there.promote("v2", project="14")
    for registry in (here, there):
        assert registry.names() == {"v1", "v2"}
        assert [version.version for version in registry.versions()] == ["v1", "v2"]
        assert registry.version("v2").manifest["base"] == "two"
        assert registry.report("v1") == b"report of v1"
    checkpoints = [registry.serving_checkpoint("14") for registry in (here, there)]
    assert [path.read_text() for path in checkpoints if path] == ["two", "two"]
    assert checkpoints[0] != checkpoints[1]


def test_a_report_may_be_missing(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("one")
    machine("a").add("v1", tmp_path / "weights", tmp_path / "none", {})
    assert machine("b").report("v1") is None
    assert not machine("b").version("v1").has_report


def test_a_name_that_was_deleted_and_given_again_has_the_new_weights(
    machine: Machine, tmp_path: Path
) -> None:
    here, there = machine("a"), machine("b")
    _add(here, tmp_path, "v1", "old")
    assert there.checkpoint("v1").read_text() == "old"
    here.delete("v1")
    for registry in (here, there):
        with pytest.raises(RegistryError, match="'v1': unknown"):
            registry.checkpoint("v1")
    _add(here, tmp_path, "v1", "new")
    assert there.checkpoint("v1").read_text() == "new"
    assert there.version("v1").manifest["base"] == "new"


def test_a_copy_answers_while_the_bucket_is_away(
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here, there = machine("a"), machine("b")
    for version in ("v1", "v2"):
        _add(here, tmp_path, version, version)
    there.checkpoint("v1")

    def away(*_: object) -> None:
        raise StorageError("MFP_BUCKET: away")

    for name in ("read", "stamps"):
        monkeypatch.setattr(Bucket, name, away)
    assert there.checkpoint("v1").read_text() == "v1"
    assert there.version("v1").manifest["base"] == "v1"
    assert "the copy on this machine is used" in caplog.text
    for ask in (
        lambda: there.checkpoint("v2"),
        lambda: there.version("v2"),
        there.names,
        there.versions,
    ):
        with pytest.raises(RegistryError, match="away"):
            ask()


def test_an_upload_that_was_cut_is_no_version(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Bucket.upload

    def cut(bucket: Bucket, path: Path, key: str) -> None:
        if key.endswith("manifest.json"):
            raise StorageError("MFP_BUCKET: full")
        upload(bucket, path, key)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "upload", cut)
        with pytest.raises(RegistryError, match="full"):
            _add(machine("a"), tmp_path, "v1", "one")
    assert machine("b").names() == set()
    assert machine("b").versions() == []
    _add(machine("a"), tmp_path, "v1", "two")
    assert machine("b").checkpoint("v1").read_text() == "two"


def test_processes_copy_at_the_same_time(machine: Machine, tmp_path: Path) -> None:
    _add(machine("a"), tmp_path, "v1", "one")
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: machine("b").checkpoint("v1"), range(40)))
    assert {path.read_text() for path in paths} == {"one"}
    assert [path.name for path in paths[0].parent.parent.iterdir()] == ["v1"]


def test_the_path_of_another_machines_copy_is_copied_here(machine: Machine, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "b", bucket_url=f"file://{tmp_path / 'bucket'}")
    _add(machine("b"), tmp_path, "v1", "one")
    path = machine("b").checkpoint("v1")
    shutil.rmtree(tmp_path / "b")
    assert fetched(path, settings) == path
    assert path.read_text() == "one"
    other = tmp_path / "weights"
    assert fetched(other, settings) == other
    assert fetched(None, settings) is None
    with pytest.raises(RegistryError, match="'v2': unknown"):
        fetched(path.parent.with_name("v2") / path.name, settings)
