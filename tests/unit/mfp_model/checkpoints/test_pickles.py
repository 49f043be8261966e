"""Pickles of others: read where they are whole, refused by name where they are not."""

import io
from pathlib import Path

import pytest
import torch

from mfp_model.checkpoints.pickles import read_tensors
from mfp_model.errors import CheckpointError


@pytest.mark.parametrize("is_zipped", [True, False])
def test_a_file_that_is_cut_anywhere_is_refused_by_name(tmp_path: Path, is_zipped: bool) -> None:
    whole, path = io.BytesIO(), tmp_path / "net.pth"
    weights = {"a.weight": torch.ones(3, 2), "a.bias": torch.zeros(3)}
    torch.save(weights, whole, _use_new_zipfile_serialization=is_zipped)
    content = whole.getvalue()
    path.write_bytes(content)
    assert read_tensors(path).keys() == weights.keys()
    for n_bytes in range(0, len(content), 1 + is_zipped * 20):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(CheckpointError, match="expected a"):
            read_tensors(path)


def test_what_a_pickle_names_is_told_and_no_advice_to_trust_it(tmp_path: Path) -> None:
    torch.save({"config": tmp_path}, tmp_path / "net.pth")
    (tmp_path / "page.pth").write_text("<!DOCTYPE html>")
    for name, reason in (
        ("net.pth", r"\(it names pathlib\.PosixPath\)"),
        ("page.pth", r"\(PyTorch did not write it\)"),
    ):
        with pytest.raises(CheckpointError, match=f"plain containers {reason}$"):
            read_tensors(tmp_path / name)
