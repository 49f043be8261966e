"""What answers while versions, or what serves, cannot be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.models.loaded import LoadedSegmenters
from backend.models.promoted import PromotedVersions
from backend.models.registry import ModelRegistry
from backend.models.served import NotReadyError, ServedModels
from backend.models.serving import RegistryAwayError, RegistryError, ServingFile
from backend.storage.bucket import Bucket
from backend.storage.errors import StorageError
from mfp_model.segmenter import Segmenter
from tests.unit.backend.models.conftest import Machine, wait_until
from tests.unit.backend.models.weights import Weights


def _add(registry: ModelRegistry, folder: Path, *versions: str) -> None:
    for version in versions:
        (folder / "weights").write_text(version)
        registry.add(version, folder / "weights", folder / "none", {})


def _started(registry: ModelRegistry, failures: list[str] | None = None) -> ServedModels:
    models = ServedModels(
        Weights().load,
        version="default",
        registry=registry,
        read_version=Path.read_text,
        on_failure=lambda error: None if failures is None else failures.append(str(error)),
    )
    models.start()
    return models


def _answering(models: ServedModels, project: str, begun: str | None = None) -> str:
    return models.segmenter(project, begun=begun, wait_s=10).version


def _fail(*_: object) -> None:
    raise StorageError("MFP_BUCKET: away")


@contextmanager
def _bucket_away() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read", "stamps", "download"):
            patch.setattr(Bucket, name, _fail)
        yield


def test_a_restarted_machine_answers_with_what_it_copied_or_says_that_it_cannot(
    machine: Machine, tmp_path: Path
) -> None:
    here, there = machine("a"), machine("b")
    _add(here, tmp_path, "v1", "v2")
    here.promote("v1", project="14")
    failures: list[str] = []
    with _bucket_away():
        assert _answering(_started(here), "14") == "v1"
        models = _started(there, failures)
        assert _answering(models, "15") == "default"
        for _ in range(3):
            with pytest.raises(RegistryAwayError, match="v1 serves, and cannot be had"):
                models.segmenter("14", wait_s=10)
            models.look()
        assert failures == ["MFP_BUCKET: away"]
        assert models.taken.versions() == set()
        here.promote("v2", project="14")
        models.look()
        with pytest.raises(RegistryAwayError, match="cannot be had"):
            models.segmenter("14", wait_s=10)
        assert models.version_of("14") == "default"  # for the page
    models.look()
    assert _answering(models, "14") == "v2"
    assert models.taken.versions() == {"v2"}


def test_what_served_goes_on_while_the_promoted_one_cannot_be_had(
    machine: Machine, tmp_path: Path
) -> None:
    here, there = machine("a"), machine("b")
    _add(here, tmp_path, "v1", "v2")
    here.promote("v1", project="14")
    models = _started(there)
    assert _answering(models, "14") == "v1"
    with _bucket_away():
        here.promote("v2", project="14")
        models.look()
        assert _answering(models, "14") == "v1"
    models.look()
    assert _answering(models, "14") == "v2"


def test_an_object_is_not_finished_on_other_weights_because_its_own_are_away(
    machine: Machine, tmp_path: Path
) -> None:
    here, there = machine("a"), machine("b")
    _add(here, tmp_path, "v1")
    models = _started(there)
    assert _answering(models, "14") == "default"
    with _bucket_away():
        with pytest.raises(RegistryAwayError, match="away"):
            models.segmenter("14", begun="v1", wait_s=10)
    assert _answering(models, "14", begun="v1") == "v1"


def test_after_a_restart_the_version_before_a_damaged_one_serves(
    machine: Machine, tmp_path: Path
) -> None:
    registry = machine("a")
    _add(registry, tmp_path, "v1", "broken", "v2")
    for version in ("v1", "broken"):
        registry.promote(version, project="14")
    registry.promote("v2", project="15")
    failures: list[str] = []
    models = _started(registry, failures)
    assert [_answering(models, project) for project in ("14", "15", "16")] == [
        *("v1", "v2", "default")
    ]
    models.look()
    assert failures == ["weights broken cannot be loaded: damaged"]


def test_a_click_is_answered_though_its_version_is_passed_over_while_it_fails(
    machine: Machine, tmp_path: Path
) -> None:
    class PassedOverMeanwhile(LoadedSegmenters):
        def get(self, group: str, name: str, load: Callable[[], Segmenter]) -> Segmenter:
            is_click = threading.current_thread() is threading.main_thread()
            if group == "broken" and not is_click:
                click_failed.wait(10)
            try:
                return super().get(group, name, load)
            except NotReadyError:
                if is_click:
                    click_failed.set()
                    wait_until(lambda: models.is_ready)
                raise

    click_failed = threading.Event()
    registry = machine("a")
    _add(registry, tmp_path, "v1", "broken")
    for version in ("v1", "broken"):
        registry.promote(version, project="14")
    models = ServedModels(
        Weights().load,
        version="default",
        registry=registry,
        read_version=Path.read_text,
        loaded=PassedOverMeanwhile(max_bytes=1_000_000),
    )
    models.start()
    assert _answering(models, "14") == "v1"
    assert models.is_ready


def test_a_damaged_version_is_tried_again_every_half_minute_and_told_once(
    machine: Machine, tmp_path: Path
) -> None:
    registry = machine("a")
    _add(registry, tmp_path, "v1", "v2")
    for version in ("v1", "v2"):
        registry.promote(version, project="14")
    now, failures = 0.0, list[Exception]()
    tried, damaged = list[tuple[float, str]](), {"v2"}

    def prepare(name: str) -> str:
        tried.append((now, name))
        if name in damaged:
            raise RegistryError(f"{name}: damaged")
        return name

    promoted = PromotedVersions(
        registry, prepare=prepare, on_failure=failures.append, clock=lambda: now
    )
    for second in range(100):
        now = float(second)
        if second == 45:
            damaged.clear()
        promoted.look()
        assert promoted.version("14") == ("v1" if second < 60 else "v2")
    assert [second for second, name in tried if name == "v2"] == [0, 30, 60]
    assert [str(problem) for problem in failures] == ["v2: damaged"]


def test_nothing_answers_before_it_is_known_what_serves(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(store: ServingFile) -> None:
        raise RegistryAwayError("the database is away")

    registry = machine("a")
    _add(registry, tmp_path, "v1")
    registry.promote("v1", project="14")
    with monkeypatch.context() as patch:
        patch.setattr(ServingFile, "read", away)
        models = _started(registry)
        for project in ("14", "15"):
            with pytest.raises(RegistryAwayError, match="could not be read yet"):
                models.segmenter(project, wait_s=10)
        assert (models.version_of("14"), models.is_ready) == ("default", False)
    models.look()
    assert models.is_ready
    assert [_answering(models, project) for project in ("14", "15")] == ["v1", "default"]
