"""A folder that appears whole or not at all, wherever a link to it leads."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.storage import whole_folder
from backend.storage.whole_folder import WholeFolder
from mfp_model.errors import ConfigError


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_folder_that_it_leads_to_is_replaced_each_time(
    tmp_path: Path, is_there: bool
) -> None:
    target, link = tmp_path / "large disk" / "masks", tmp_path / "masks"
    target.parent.mkdir()
    if is_there:
        target.mkdir()
    link.symlink_to(target)
    for content in ("first", "second", "third"):
        with WholeFolder(link, mark="mark", parts=()).building() as folder:
            assert folder.parent == target.parent
            (folder / "mark").write_text(content)
        assert link.is_symlink()
        assert [path.name for path in target.iterdir()] == ["mark"]
        assert (target / "mark").read_text() == content
    assert [path.name for path in target.parent.iterdir()] == ["masks"]
    assert [path.name for path in tmp_path.iterdir() if path != target.parent] == ["masks"]


@pytest.mark.parametrize("name", ["mine.safetensors", "new.json", ".git"])
def test_what_somebody_else_put_into_it_is_not_removed_with_it(tmp_path: Path, name: str) -> None:
    out = tmp_path / "masks"
    whole = WholeFolder(out, mark="mark", parts=("images",))
    for part in ("images", ".images.x1", ".DS_Store"):
        with whole.building() as folder:
            (folder / "mark").touch()
            (folder / part).touch()
    (out / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"masks: has {name} in it, which would be removed"):
        whole.check()
    (out / name).unlink()
    with whole.building() as folder:
        (folder / "mark").touch()
    with pytest.raises(ConfigError, match=name), whole.building():
        (out / name).write_text("put there meanwhile")
    assert (out / name).read_text() == "put there meanwhile"


def test_a_cut_between_the_two_names_loses_nothing_and_leaves_nothing_over(tmp_path: Path) -> None:
    out, old = tmp_path / "masks", tmp_path / ".masks.old"
    whole = WholeFolder(out, mark="mark", parts=())
    with whole.building() as folder:
        (folder / "mark").write_text("first")
    out.rename(old)
    with pytest.raises(KeyError), whole.building():
        raise KeyError
    assert (out / "mark").read_text() == "first"
    old.mkdir()
    (old / "mark").write_text("before the first")
    with whole.building() as folder:
        (folder / "mark").write_text("second")
    assert (out / "mark").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


def test_a_mount_point_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "my masks"
    out.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"36 35 0:5 / {tmp_path}/my\\040masks rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(whole_folder, "_MOUNTS", mounts)
    with (
        pytest.raises(ConfigError, match="my masks: something is mounted there"),
        WholeFolder(out, mark="mark", parts=()).building(),
    ):
        raise AssertionError("computed")
    with WholeFolder(out / "first", mark="mark", parts=()).building() as folder:
        (folder / "mark").touch()
    assert [path.name for path in out.iterdir()] == ["first"]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with (
        pytest.raises(ConfigError, match="masks: nothing can be written in"),
        WholeFolder(tmp_path / "new" / "masks", mark="mark", parts=()).building(),
    ):
        raise AssertionError("computed")


def test_the_root_of_all_files_is_refused() -> None:
    with pytest.raises(ConfigError, match="something is mounted there"):
        WholeFolder(Path("/"), mark="mark", parts=()).check()


def test_one_that_is_published_while_another_begins_is_not_taken_for_the_others_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = WholeFolder(tmp_path / "masks", mark="mark", parts=())
    other = whole.building()
    (other.__enter__() / "mark").write_text("first")
    flock = fcntl.flock

    def after_it_was_published(lock: int, kind: int) -> None:
        monkeypatch.undo()
        other.__exit__(None, None, None)
        flock(lock, kind)

    monkeypatch.setattr(fcntl, "flock", after_it_was_published)
    with whole.building() as folder:
        (folder / "mark").write_text("second")
        with pytest.raises(ConfigError, match="by another process"), whole.building():
            pass
    assert (tmp_path / "masks" / "mark").read_text() == "second"


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_in_the_place_of_what_is_built_is_named(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / ".masks.partial")
    whole = WholeFolder(tmp_path / "masks", mark="mark", parts=())
    with pytest.raises(ConfigError, match="masks.partial: is no folder"), whole.building():
        pass
