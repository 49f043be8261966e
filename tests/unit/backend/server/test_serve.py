import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.server import serve as module
from backend.server.serve import serve
from backend.settings import Settings
from mfp_model.errors import ConfigError
from tests.fakes import temporary_settings

_GUARDED = temporary_settings(username="team", password="secret")


def _serve(settings: Settings, *, host: str = "127.0.0.1", n_threads: int | None = None) -> None:
    serve(settings, host=host, port=1, n_workers=1, n_threads=n_threads)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """What the server would be started with."""
    monkeypatch.setattr(module, "_MEMORY_DIR", tmp_path)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    starts: list[dict[str, object]] = []

    class Server:
        def __init__(self, _: Settings, __: Path, options: dict[str, object]) -> None:
            starts.append(options)

        def run(self) -> None:
            pass

    monkeypatch.setattr(module, "_Server", Server)
    monkeypatch.setattr(module, "_start_fine_tuning", lambda settings: None)
    return starts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "labels.example"])
def test_other_machines_need_a_password(started: list[dict[str, object]], host: str) -> None:
    with pytest.raises(ConfigError, match="MFP_PASSWORD"):
        _serve(temporary_settings(), host=host)
    _serve(_GUARDED, host=host)
    _serve(temporary_settings(allows_open=True), host=host)
    assert len(started) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_none(started: list[dict[str, object]], host: str) -> None:
    _serve(temporary_settings(), host=host)
    (options,) = started
    assert options["bind"] == ("[::1]:1" if host == "::1" else f"{host}:1")


def test_there_are_threads_to_spare_for_health(started: list[dict[str, object]]) -> None:
    settings = replace(temporary_settings(), max_waiting=5)
    _serve(settings)
    assert started[0]["threads"] == 9
    with pytest.raises(ConfigError, match="MFP_MAX_WAITING=5"):
        _serve(settings, n_threads=5)


def test_a_full_disk_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings = temporary_settings()
    monkeypatch.setattr(module.tempfile, "mkdtemp", full)
    with pytest.raises(ConfigError, match="No space left on device.*TMPDIR"):
        _serve(settings)


def test_a_disk_that_becomes_full_finds_the_metrics_files_written(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from backend.monitoring.metrics import Metrics
folder = Path(sys.argv[1])
metrics = Metrics(folder)
metrics.errors.labels("ImageError").inc()
metrics.waiting.set(3)
metrics.answer_seconds.observe(0.1)
files = sorted(folder.glob("*.db"))
assert len(files) == 3, files
assert all(file.stat().st_blocks * 512 >= 1 << 20 for file in files)
assert metrics.figures().value("mfp_errors_total", kind="ImageError") == 1
assert metrics.figures().value("mfp_waiting") == 3
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
    )
