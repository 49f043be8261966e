import errno
import io
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main


@pytest.mark.slow
def test_segment_writes_a_mask_and_prints_one_json_line(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    out = tmp_path / "new" / "mask.png"
    arguments = ["segment", str(tmp_path / "a.png"), "--click", "10,10,+", "--click", "60,40,-"]
    assert main([*arguments, "--checkpoint", str(tiny_weights), "--out", str(out), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    mask = np.asarray(Image.open(out))
    assert set(report) == {"width", "height", "area_px", "ms", "peak_mb"}
    assert (report["width"], report["height"]) == (70, 50)
    assert mask.shape == (50, 70)
    assert report["area_px"] == (mask == 255).sum() == (mask > 0).sum()


def test_a_prior_mask_that_is_all_dark_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    ones = np.zeros((50, 70), dtype=np.uint8)
    ones[10:30, 10:30] = 1
    Image.fromarray(ones).save(tmp_path / "prior.png")
    arguments = ["segment", str(tmp_path / "a.png"), "--click", "10,10,+"]
    arguments += ["--mask", str(tmp_path / "prior.png"), "--out", str(tmp_path / "mask.png")]
    assert main(arguments) == 1
    assert "no pixel is lighter than 1, expected the object from 128" in capsys.readouterr().err
    assert not (tmp_path / "mask.png").exists()


def test_an_empty_mask_and_a_replaced_file_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    out = tmp_path / "mask.png"
    arguments = ["segment", str(tmp_path / "a.png"), "--out", str(out)]
    arguments += ["--segmenter", "graph-cut", "--click"]
    assert main([*arguments, "10,10,-"]) == 0
    printed = capsys.readouterr()
    assert "note: the mask is empty" in printed.err
    assert "replaced" not in printed.err
    assert f"{out}: 70 x 50 pixels, 0 of them object (0.0%)" in printed.out
    assert main([*arguments, "10,10,+"]) == 0
    assert f"note: {out} was there already, and is replaced" in capsys.readouterr().err


def test_a_mask_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    out = tmp_path / "mask.png"
    out.write_bytes(b"the old one")

    def save_half(self: Image.Image, file: Path | io.BytesIO, format: str) -> None:
        with file.open("wb") if isinstance(file, Path) else nullcontext(file) as opened:
            opened.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save_half)
    arguments = ["segment", str(tmp_path / "a.png"), "--segmenter", "graph-cut"]
    assert main([*arguments, "--click", "10,10,+", "--out", str(out)]) == 1
    assert out.read_bytes() == b"the old one"
