import errno
import os
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli import main
from backend.monitoring.journal import Journal
from backend.server import serve as module
from backend.server import shared_memory
from backend.server.serve import serve
from backend.server.supervisor import SupervisionError
from backend.settings import Settings
from backend.storage.shared_state import SharedState, journal_file
from backend.storage.upgrading import NEWEST
from mfp_model.errors import ConfigError
from tests.fakes import temporary_settings
from tests.postgres import Postgres
from tests.unit.backend.storage.old_files import old_file

_GUARDED = temporary_settings(username="team", password="secret")


def _serve(settings: Settings, *, host: str = "127.0.0.1", n_threads: int | None = None) -> None:
    serve(settings, host=host, port=1, n_workers=1, n_threads=n_threads)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """What the server would be started with."""
    monkeypatch.setattr(shared_memory, "_MEMORY_DIR", tmp_path)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    starts: list[dict[str, object]] = []

    class Server:
        def __init__(
            self, _: Settings, __: Path, options: dict[str, object], replicas: object
        ) -> None:
            starts.append(options)

        def run(self) -> None:
            pass

    monkeypatch.setattr(module, "_Server", Server)
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


def test_its_threads_sleep_while_they_wait(
    started: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is set back
    monkeypatch.delenv("OMP_WAIT_POLICY")
    _serve(temporary_settings())
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_an_older_data_folder_is_upgraded_once_and_refused_while_an_older_server_uses_it(
    started: list[dict[str, object]],
) -> None:
    settings = temporary_settings()
    files = [old_file(settings.data_dir, name) for name in ("jobs", "regions", "sessions")]
    older = sqlite3.connect(files[2])
    older.execute("SELECT * FROM saves").fetchall()
    with pytest.raises(ConfigError, match="sessions.sqlite3: in use"):
        _serve(settings)
    older.close()
    _serve(settings)
    assert len(started) == 1
    for file in files:
        database = sqlite3.connect(file)
        assert database.execute("SELECT version_num FROM mfp_state").fetchall() == [(NEWEST,)]
        database.close()


def test_what_befalls_a_server_stands_on_its_status_page_with_a_database_too(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = temporary_settings(database_url=postgres.new_database())
    monkeypatch.setenv("MFP_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MFP_DATA_DIR", str(settings.data_dir))
    assert main(["migrate"]) == 0
    module._Notes(settings, tmp_path).add(SupervisionError("a worker ended"))
    database, server = SharedState(*settings.places).journal(tmp_path)
    (error,) = Journal(database, server=server).errors(9)
    assert (error.kind, error.message) == ("SupervisionError", "a worker ended")


def test_a_database_that_does_not_answer_holds_the_supervisor_up_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://mfp@127.0.0.1:{silent.getsockname()[1]}/mfp"
        notes = module._Notes(temporary_settings(database_url=url), tmp_path)
        began = time.monotonic()
        for _ in range(4):
            notes.add(SupervisionError("a worker ended"))
        assert time.monotonic() - began < 9


def test_what_is_wrong_with_the_data_folder_stands_on_the_status_page(tmp_path: Path) -> None:
    (tmp_path / "data").touch()  # no folder can be made there
    settings = replace(temporary_settings(), data_dir=tmp_path / "data")
    module._Notes(settings, tmp_path).add(ConfigError("no folder"))
    assert [error.message for error in Journal(journal_file(tmp_path)).errors(9)] == ["no folder"]


def test_a_full_disk_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings = temporary_settings()
    monkeypatch.setattr(shared_memory.tempfile, "mkdtemp", full)
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


def test_a_worker_that_finds_no_space_for_metrics_counts_for_itself(tmp_path: Path) -> None:
    code = """
import os, resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as when the disk is full
from backend.monitoring.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]))
metrics.errors.labels("ImageError").inc()
assert metrics.figures().value("mfp_errors_total", kind="ImageError") == 1
assert not list(Path(sys.argv[1]).glob("*.db"))
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
    )


def test_folders_of_servers_that_are_gone_are_removed_and_no_others(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from backend.server import shared_memory
shared_memory._MEMORY_DIR = Path(sys.argv[1])
print(shared_memory.shared_folder(), flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as living:  # type: ignore[call-overload]
        folder = Path(living.stdout.readline().strip())
        being_made = tmp_path / "label-studio-mfp-new"
        being_made.mkdir()
        assert shared_memory.clear(tmp_path) == []
        living.kill()
        living.wait()
        assert shared_memory.clear(tmp_path) == [folder]
    os.utime(being_made, (0, 0))
    assert shared_memory.clear(tmp_path) == [being_made]


def test_a_folder_that_was_removed_is_made_anew_and_locked(tmp_path: Path) -> None:
    folder = tmp_path / "label-studio-mfp-1"
    assert shared_memory.restore(folder)
    (folder / "fine-tuning.json").touch()
    assert not shared_memory.restore(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    os.utime(folder, (0, 0))
    assert shared_memory.clear(tmp_path) == []
    (folder / "lock").unlink()
    assert shared_memory.restore(folder)
    os.utime(folder, (0, 0))
    assert shared_memory.clear(tmp_path) == []
    assert (folder / "fine-tuning.json").exists()


def test_the_parent_loads_neither_metrics_nor_torch_before_it_has_told_where_they_lie() -> None:
    code = "import sys, backend.server.serve; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"prometheus_client", "torch", "openvino"} & set(modules)
