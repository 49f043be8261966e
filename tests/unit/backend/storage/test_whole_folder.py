"""A folder that appears whole or not at all, wherever a link to it leads."""

from pathlib import Path

import pytest

from backend.storage.whole_folder import WholeFolder


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
        with WholeFolder(link, mark="mark").building() as folder:
            assert folder.parent == target.parent
            (folder / "mark").write_text(content)
        assert link.is_symlink()
        assert [path.name for path in target.iterdir()] == ["mark"]
        assert (target / "mark").read_text() == content
    assert [path.name for path in target.parent.iterdir()] == ["masks"]
    assert [path.name for path in tmp_path.iterdir() if path != target.parent] == ["masks"]
