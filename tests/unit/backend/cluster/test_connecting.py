from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.cluster import connecting as module
from backend.cluster.connecting import prepare
from backend.cluster.messages import ClusterError
from backend.cluster.overseeing import Overseer, check_wanted
from backend.cluster.places import Plan
from backend.cluster.replicas_state import ReplicasState, read_replicas
from mfp_model.errors import ConfigError
from tests.fakes import temporary_settings


def test_a_ray_of_our_own_asks_for_a_token_and_stays_on_this_machine() -> None:
    environments: list[dict[str, str]] = [{}, {}]
    for environment in environments:
        prepare("", environment)
    assert {environment["RAY_AUTH_MODE"] for environment in environments} == {"token"}
    tokens = {environment["RAY_AUTH_TOKEN"] for environment in environments}
    assert len(tokens) == 2
    assert all(len(token) == 64 for token in tokens)
    assert environments[0]["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"


def test_a_cluster_without_tokens_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    prepare("10.0.0.1:6379", {"RAY_AUTH_MODE": "token"})
    assert not caplog.records
    environment: dict[str, str] = {}
    prepare("10.0.0.1:6379", environment)
    assert "can run anything" in caplog.text
    assert "RAY_AUTH_TOKEN" not in environment


def test_without_ray_the_option_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install '.\[ray\]'"):
        prepare("", {})


@pytest.mark.slow
def test_the_server_and_its_commands_do_without_ray() -> None:
    code = """
import sys
import backend.cli, backend.server.serve, backend.server.app, backend.commands.replicas
backend.cli.make_parser()
assert not any(name == "ray" or name.startswith("ray.") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_process_does_at_its_end_stays() -> None:
    signals = list[int]()
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    try:
        with module._own_way_to_end():
            ctypes.CDLL(None).signal(signal.SIGTERM, None)  # as Ray: Python does not hear of it
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signals == [signal.SIGTERM]


def test_a_front_with_other_settings_than_the_replicas_is_refused() -> None:
    check_wanted({"MFP_ENGINE": "auto"}, {"MFP_ENGINE": "auto"})
    with pytest.raises(ClusterError, match="MFP_ENGINE is 'auto' here and 'pytorch' there"):
        check_wanted({"MFP_ENGINE": "auto"}, {"MFP_ENGINE": "pytorch"})


def test_how_the_replicas_are_is_told_to_all_workers(tmp_path: Path) -> None:
    assert read_replicas(None) is None
    assert read_replicas(tmp_path) is None
    state = ReplicasState(phase="serving", n_running=3, n_wanted=4, message="one differs")
    state.write(tmp_path)
    assert read_replicas(tmp_path) == state
    (tmp_path / "replicas.json").write_text("{")
    assert read_replicas(tmp_path) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
def test_of_two_fronts_that_start_at_once_only_the_chosen_one_starts_ray_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray import serve
    from ray.exceptions import ActorAlreadyExistsError

    def start(**_: object) -> None:
        raise ActorAlreadyExistsError("Actor with name 'SERVE_CONTROLLER_ACTOR' already exists")

    monkeypatch.setattr(serve, "start", start)
    monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications={}))
    overseer = Overseer(temporary_settings(), tmp_path, "10.0.0.1:6379", 0)
    assert overseer._n_there() == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
def test_a_front_that_is_refused_says_so_though_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    overseer = Overseer(temporary_settings(), tmp_path, "10.0.0.1:6379", 0)

    def refuse() -> int:
        raise ClusterError("the replicas serve other settings")

    monkeypatch.setattr(overseer, "_n_there", refuse)
    overseer._begin()
    with pytest.raises(ClusterError, match="other settings"):
        overseer._look()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
@pytest.mark.parametrize(
    ("before", "room", "may_start", "expected"),
    [(2, 2, True, []), (2, 3, True, [3]), (2, 3, False, []), (4, 4, True, []), (1, 2, True, [])],
)
def test_room_that_comes_later_is_used_by_one_front(
    before: int,
    room: int,
    may_start: bool,
    expected: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray")
    from backend.cluster import deployment

    deployed: list[int] = []
    overseer = Overseer(temporary_settings(), tmp_path, "10.0.0.1:6379", 0)
    overseer._state = ReplicasState(phase="serving", n_running=2, n_wanted=2)
    overseer._n_room = before
    monkeypatch.setattr(Plan, "places", lambda plan: (room, False))
    monkeypatch.setattr(
        deployment, "deploy", lambda settings, n_replicas, has_gpus: deployed.append(n_replicas)
    )
    overseer._grow(lambda: may_start)
    assert deployed == expected
