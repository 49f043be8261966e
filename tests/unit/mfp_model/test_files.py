"""Files written whole or not at all, and read as JSON."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mfp_model.files import parsed_json, write_atomically


def test_json_that_is_nested_too_deep_is_as_wrong_as_any_that_cannot_be_read() -> None:
    for content in ("[" * 100_000, b'{"a":' * 100_000, "["):
        with pytest.raises(ValueError, match=r"nested too deep|Expecting value"):
            parsed_json(content)


def test_a_full_disk_leaves_the_old_file_and_is_told_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "net.state"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*net\.state'$"):
        write_atomically(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("net.state", b"old")
    ]
