"""CSV files that grow by a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfp_model.training.curves import append_row, drop_rows_after


def test_a_run_that_goes_on_writes_each_of_its_samples_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "net.log.csv"
    for seen, goes_on_from in (((20, 40, 60), 30), ((40, 60), 60), ((80,), 80)):
        for n_seen in seen:
            append_row(path, {"epoch": n_seen / 20, "n_seen": n_seen, "loss": 1 / 3})
        drop_rows_after(path, goes_on_from)
    assert path.read_text().splitlines() == [
        "epoch,n_seen,loss",
        *(f"{n / 20},{n},0.333333" for n in (20, 40, 60, 80)),
    ]


def test_a_line_more_does_not_read_those_before(tmp_path: Path) -> None:
    path = tmp_path / "net.log.csv"
    path.write_bytes(b"epoch,n_seen\r\n9,90\r\n")
    append_row(path, {"epoch": 2, "n_seen": 40})
    assert path.read_bytes() == b"epoch,n_seen\r\n9,90\r\n2,40\r\n"


@pytest.mark.parametrize("cut", ["2", "2,3", "2,40\0\0\r\n"])
def test_a_line_that_was_cut_goes(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "net.log.csv"
    path.write_bytes(f"epoch,n_seen\r\n1,20\r\n{cut}".encode())
    drop_rows_after(path, 20)
    append_row(path, {"epoch": 2, "n_seen": 40})
    assert path.read_text().splitlines() == ["epoch,n_seen", "1,20", "2,40"]


def test_a_heading_that_was_cut_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "net.log.csv"
    path.write_text("epoch,n_s")
    drop_rows_after(path, 0)
    append_row(path, {"epoch": 2, "n_seen": 40})
    assert path.read_text().splitlines() == ["epoch,n_seen", "2,40"]
