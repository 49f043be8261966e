import threading
from pathlib import Path

import pytest

from backend.models import served
from backend.models.begun import BegunVersions
from backend.models.loaded import LoadedSegmenters
from backend.models.registry import ModelRegistry
from backend.models.served import NotReadyError, ServedModels
from backend.storage.file_database import FileDatabase
from backend.storage.tables import REGIONS
from mfp_model.errors import CheckpointError
from mfp_model.segmenter import Segmenter
from tests.registries import registry_in
from tests.unit.backend.models.conftest import wait_until
from tests.unit.backend.models.weights import Named, Weights


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    models = registry_in(tmp_path / "models")
    (tmp_path / "report").touch()
    for version in ("v1", "v2", "v3", "broken"):
        (tmp_path / "checkpoint").write_text(version)
        models.add(version, tmp_path / "checkpoint", tmp_path / "report", {})
    return models


def _models(registry: ModelRegistry, weights: Weights, **options: object) -> ServedModels:
    models = ServedModels(
        weights.load,
        version="default",
        registry=registry,
        read_version=Path.read_text,
        **options,  # type: ignore[arg-type]
    )
    models.start()
    models.segmenter("", wait_s=10)
    return models


def test_a_promoted_version_takes_over_and_what_was_begun_is_finished(
    registry: ModelRegistry,
) -> None:
    models = _models(registry, Weights())
    assert models.segmenter("14", wait_s=1).version == "default"
    registry.promote("v1", project="14")
    models.look()
    assert models.version_of("14") == "v1"
    assert models.segmenter("14", wait_s=1).version == "v1"
    assert models.segmenter("15", wait_s=1).version == "default"
    assert models.segmenter("14", begun="default", wait_s=1).version == "default"
    registry.rollback(project="14")
    models.look()
    assert models.segmenter("14", wait_s=1).version == "default"
    assert models.segmenter("14", begun="v1", wait_s=1).version == "v1"


def test_the_watching_thread_sees_a_promotion_by_itself(registry: ModelRegistry) -> None:
    models = _models(registry, Weights())
    registry.promote("v2")
    wait_until(lambda: models.version == "v2")
    assert models.segmenter("9", wait_s=1).version == "v2"


def test_the_old_version_serves_while_the_new_one_cannot_be_loaded(
    registry: ModelRegistry,
) -> None:
    failures: list[Exception] = []
    models = _models(registry, Weights(), on_failure=failures.append)
    registry.promote("broken", project="14")
    models.look()
    assert models.segmenter("14", wait_s=1).version == "default"
    assert "damaged" in str(failures[0])


class _Sized(Named):
    @property
    def n_bytes(self) -> int:
        return 100


def test_versions_share_a_bounded_memory_and_come_back_when_needed(
    registry: ModelRegistry,
) -> None:
    loaded: list[str] = []
    dropped: list[str] = []
    memory = LoadedSegmenters(
        max_bytes=250,
        on_loaded=lambda segmenter: loaded.append(segmenter.version),
        on_dropped=lambda segmenter: dropped.append(segmenter.version),
    )
    weights = Weights()
    models = ServedModels(
        lambda path: _Sized(weights.load(path).version),
        version="default",
        registry=registry,
        read_version=Path.read_text,
        loaded=memory,
    )
    models.start()
    models.segmenter("", wait_s=10)
    for project, version in (("1", "v1"), ("2", "v2"), ("3", "v3")):
        registry.promote(version, project=project)
    models.look()
    assert loaded == ["default", "v1"]  # as many as have room
    for _ in range(2):
        for project in ("1", "2", "3"):
            assert models.segmenter(project, wait_s=1).version == f"v{project}"
            assert memory.n_bytes <= 250
    assert len(loaded) - len(dropped) == 2


def test_the_least_recently_used_group_goes_with_all_that_is_around_it() -> None:
    dropped: list[str] = []
    memory = LoadedSegmenters(
        max_bytes=250, on_dropped=lambda segmenter: dropped.append(segmenter.version)
    )
    for group in ("a", "b"):
        memory.get(group, "mfp", lambda group=group: _Sized(group))  # type: ignore[misc]
        memory.get(group, "mfp-refined", lambda group=group: _Sized(f"{group}-refined"))  # type: ignore[misc]
    assert memory.n_bytes == 200  # what is around the same weights counts once
    memory.get("a", "mfp", lambda: pytest.fail("was in memory"))
    memory.get("c", "mfp", lambda: _Sized("c"))
    assert dropped == ["b", "b-refined"]


def test_one_that_is_larger_than_the_memory_still_answers() -> None:
    memory = LoadedSegmenters(max_bytes=10)
    assert memory.get("a", "mfp", lambda: _Sized("a")).version == "a"
    assert memory.get("b", "mfp", lambda: _Sized("b")).version == "b"
    assert memory.n_bytes == 100


def test_an_object_begun_on_a_deleted_version_goes_on_with_the_present_one(
    registry: ModelRegistry,
) -> None:
    models = _models(registry, Weights())
    registry.delete("v3")
    assert models.segmenter("14", begun="v3", wait_s=1).version == "default"


def test_a_default_that_cannot_be_loaded_is_an_error_and_told_without_a_traceback(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def load(checkpoint: Path | None) -> Segmenter:
        raise CheckpointError("damaged")

    models = ServedModels(load, version="default", registry=registry)
    models.start()
    with pytest.raises(NotReadyError, match="damaged"):
        models.segmenter("14", wait_s=10)
    assert models.failure == "damaged"
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "weights default cannot be loaded: damaged"
    assert record.exc_info is None


def test_a_default_that_could_not_be_loaded_is_loaded_when_it_can_be(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "_AGAIN_S", 0.01)
    weights, failures = Weights(), ["no replica answers", "no replica answers"]

    def load(checkpoint: Path | None) -> Segmenter:
        if failures:
            raise CheckpointError(failures.pop())
        return weights.load(checkpoint)

    models = ServedModels(load, version="default", registry=registry)
    models.start()
    wait_until(lambda: models.is_ready)
    assert models.failure is None
    assert models.segmenter("", wait_s=1).version == "default"


def test_the_version_of_an_object_is_known_to_all_workers_and_after_a_restart(
    tmp_path: Path,
) -> None:
    first, second = (BegunVersions(FileDatabase(tmp_path / "r.sqlite3", REGIONS)) for _ in range(2))
    assert first.version(frozenset({"a"})) is None
    first.remember(frozenset({"a"}), "v1")
    first.remember(frozenset({"a", "b"}), "v1")
    assert second.version(frozenset({"b", "c"})) == "v1"
    second.remember(frozenset({"b"}), "v2")
    assert (
        BegunVersions(FileDatabase(tmp_path / "r.sqlite3", REGIONS)).version(frozenset({"b"}))
        == "v1"
    )


def test_versions_of_old_objects_are_forgotten(tmp_path: Path) -> None:
    now = [0.0]
    versions = BegunVersions(FileDatabase(tmp_path / "r.sqlite3", REGIONS), clock=lambda: now[0])
    versions.remember(frozenset({"a"}), "v1")
    now[0] = 3 * 24 * 3600
    for number in range(1000):
        versions.remember(frozenset({str(number)}), "v2")
    assert (
        BegunVersions(FileDatabase(tmp_path / "r.sqlite3", REGIONS)).version(frozenset({"a"}))
        is None
    )


def test_after_a_start_no_click_waits_for_the_versions_of_other_projects(
    registry: ModelRegistry,
) -> None:
    weights, go_on = Weights(), threading.Event()

    def load(checkpoint: Path | None) -> Segmenter:
        if checkpoint is not None and checkpoint.read_text() == "v1":
            go_on.wait(10)
        return weights.load(checkpoint)

    registry.promote("v1", project="14")
    models = ServedModels(load, version="default", registry=registry, read_version=Path.read_text)
    models.start()
    assert models.segmenter("15", wait_s=10).version == "default"
    assert not models.is_ready
    go_on.set()
    assert models.segmenter("14", wait_s=10).version == "v1"
    wait_until(lambda: models.is_ready)
    assert models.is_ready
    assert weights.loaded == ["default", "v1"]


def test_a_name_that_is_given_again_stands_for_its_new_weights(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    weights = Weights()
    models = ServedModels(
        weights.load, version="default", registry=registry, read_version=Path.read_text
    )
    models.start()
    registry.promote("v1", project="14")
    models.segmenter("", wait_s=10)
    models.look()
    assert models.segmenter("14", wait_s=1).version == "v1"
    assert registry.rollback(project="14") is None
    registry.delete("v1")
    (tmp_path / "checkpoint").write_text("v1 of other values")
    registry.add("v1", tmp_path / "checkpoint", tmp_path / "report", {})
    registry.promote("v1", project="14")
    models.look()
    assert models.version_of("14") == "v1 of other values"
    assert models.segmenter("14", wait_s=1).version == "v1 of other values"
    assert models.segmenter("14", begun="v1", wait_s=1).version == "v1"  # still in memory


def test_a_promoted_version_whose_file_is_gone_leaves_the_present_one_serving(
    registry: ModelRegistry,
) -> None:
    failures: list[Exception] = []
    models = ServedModels(
        Weights().load, version="default", registry=registry, on_failure=failures.append
    )
    models.start()
    models.segmenter("", wait_s=10)
    registry.promote("v1", project="14")  # its file is no checkpoint
    models.look()
    assert models.version_of("14") == models.version_of("15") == "default"
    assert models.segmenter("14", wait_s=1).version == "default"
    assert any("damaged or of another kind" in str(error) for error in failures)
