"""A folder's versions -> a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli import main
from backend.models.registry import model_registry
from backend.storage.shared_state import SharedState
from mfp_model.errors import ConfigError
from tests.buckets import s3
from tests.postgres import Postgres
from tests.unit.backend.storage.recorded import promote


@pytest.fixture
def bucket() -> Iterator[str]:
    with s3():
        yield "s3://mfp/team"


@pytest.mark.slow
def test_versions_move_with_the_state_and_are_used_from_one_place(
    tmp_path: Path,
    postgres: Postgres,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, url = tmp_path / "data", postgres.new_database()
    promote(SharedState(folder), tmp_path, "v1", "14")
    for name, value in (("DATA_DIR", folder), ("DATABASE_URL", url), ("BUCKET", bucket)):
        monkeypatch.setenv(f"MFP_{name}", str(value))
    assert main(["migrate"]) == 0
    assert f"moved into {bucket}: v1" in capsys.readouterr().out
    assert main(["migrate"]) == 0
    elsewhere = model_registry(SharedState(tmp_path / "other", url, bucket))
    for registry in (elsewhere, model_registry(SharedState(folder, url, bucket))):
        checkpoint = registry.serving_checkpoint("14")
        assert checkpoint is not None
        assert checkpoint.read_bytes() == b"w"
    with pytest.raises(ConfigError, match=f"name {bucket} in MFP_BUCKET"):
        SharedState(folder, url)
    with pytest.raises(ConfigError, match="v1.*not moved into MFP_BUCKET=s3://mfp/else"):
        SharedState(folder, url, "s3://mfp/else")
    elsewhere.rollback(project="14")
    elsewhere.delete("v1")
    assert model_registry(SharedState(folder, url, bucket)).names() == set()


def test_versions_that_were_not_moved_are_named(
    tmp_path: Path, postgres: Postgres, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = tmp_path / "data", postgres.new_database()
    monkeypatch.setenv("MFP_DATA_DIR", str(folder))
    monkeypatch.setenv("MFP_DATABASE_URL", url)
    assert main(["migrate"]) == 0
    promote(SharedState(folder, url), tmp_path, "v1", "14")
    with pytest.raises(ConfigError, match=r"has versions \(v1\) .*run `mfp migrate`"):
        SharedState(folder, url, bucket)
    other = SharedState(tmp_path / "other", url, bucket)
    promote(other, tmp_path, "v1", "15")
    monkeypatch.setenv("MFP_BUCKET", bucket)
    assert main(["migrate"]) == 1  # another one of this name
    assert not (folder / "moved-to-bucket.json").exists()


def test_a_bucket_goes_with_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="MFP_BUCKET: expected MFP_DATABASE_URL"):
        SharedState(tmp_path, "", f"file://{tmp_path}")
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MFP_BUCKET", f"file://{tmp_path}")
    assert main(["migrate"]) == 1
