import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli import main
from backend.models.downloads import fetch_weights
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.weights.sources import WEIGHTS_SOURCES
from tests.fakes import LoopbackSite, QuietHandler

_CONTENT = bytes(range(256)) * 5000
_NAME = "imagenet-resnet34"


class _Publisher(QuietHandler):
    """Serves the file from any offset; breaks off after `cut_after` bytes."""

    cut_after: int | None = None
    offsets: list[int]

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.offsets.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(_CONTENT) - start))
        self.end_headers()
        self.wfile.write(_CONTENT[start:][: self.cut_after])


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Publisher]]:
    handler = type("Publisher", (_Publisher,), {"offsets": []})
    with LoopbackSite(handler).serving() as server:
        url = f"{server.url}/weights.pth"
        sha256 = hashlib.sha256(_CONTENT).hexdigest()[:8]
        source = replace(WEIGHTS_SOURCES[_NAME], url=url, sha256=sha256)
        monkeypatch.setitem(WEIGHTS_SOURCES, _NAME, source)
        yield handler


def test_a_file_is_downloaded_once(publisher: type[_Publisher], tmp_path: Path) -> None:
    path = fetch_weights(_NAME, tmp_path)
    assert path.read_bytes() == _CONTENT
    assert fetch_weights(_NAME, tmp_path, is_offline=True) == path
    assert publisher.offsets == [0]


def test_a_broken_download_goes_on_where_it_broke_off(
    publisher: type[_Publisher], tmp_path: Path
) -> None:
    publisher.cut_after = 300_000
    with pytest.raises(CheckpointError, match="place it as"):
        fetch_weights(_NAME, tmp_path)
    (part,) = tmp_path.iterdir()
    assert part.suffix == ".part"
    n_kept = part.stat().st_size
    assert n_kept > 0
    publisher.cut_after = None
    assert fetch_weights(_NAME, tmp_path).read_bytes() == _CONTENT
    assert publisher.offsets == [0, n_kept]


def test_another_file_than_published_is_refused_and_removed(
    publisher: type[_Publisher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(WEIGHTS_SOURCES[_NAME], sha256="00000000")
    monkeypatch.setitem(WEIGHTS_SOURCES, _NAME, source)
    with pytest.raises(CheckpointError, match="expected 00000000"):
        fetch_weights(_NAME, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "is_offline"), [(_NAME, True), ("mfp-vit-b", False), ("mfp-vit-b", True)]
)
def test_what_cannot_be_downloaded_is_explained(
    name: str, is_offline: bool, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        fetch_weights(name, tmp_path, is_offline=is_offline)
    source = WEIGHTS_SOURCES[name]
    assert source.url in str(caught.value)
    assert str(tmp_path / source.file_name) in str(caught.value)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mae-vit-b"):
        fetch_weights("other", tmp_path)


def test_the_command_says_where_the_file_is(
    publisher: type[_Publisher], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch-weights", _NAME, "--to", str(tmp_path)]) == 0
    assert WEIGHTS_SOURCES[_NAME].file_name in capsys.readouterr().out
    assert main(["fetch-weights", "mfp-vit-b", "--to", str(tmp_path), "--offline"]) == 1
    assert "drive.google.com" in capsys.readouterr().err
