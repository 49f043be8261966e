"""The files for Docker Compose, as far as can be said without running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.cli import make_parser

_ROOT = Path(__file__).parents[2]
_FILES = ("compose.yaml", "compose.cluster.yaml")


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags as what they are put on."""


_Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def _services(name: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.load((_ROOT / name).read_text(), _Loader)["services"]
    return services


def test_the_commands_are_commands() -> None:
    commands = [
        _command(service["command"])
        for name in _FILES
        for service in _services(name).values()
        if "command" in service
    ]
    of_ours = [words[1:] for words in commands if words[0] == "mfp"]
    assert len(of_ours) == 4
    for arguments in of_ours:
        make_parser().parse_args(arguments)


def _command(words: list[str]) -> list[str]:
    """The command of ours that a shell runs, or the command itself."""
    if words[0] != "bash":
        return words
    (line,) = (line for line in words[-1].splitlines() if line.startswith("mfp "))
    return line.removesuffix(" &").split()


def test_nothing_but_the_balancer_is_published_and_ray_is_on_a_network_of_its_own() -> None:
    services = _services("compose.cluster.yaml")
    assert [name for name, service in services.items() if service.get("ports")] == ["balancer"]
    with_ray = [name for name, service in services.items() if "ray" in service.get("networks", [])]
    assert with_ray == ["backend", "ray-head", "replicas"]
    for name in with_ray:
        assert services[name]["environment"]["RAY_AUTH_MODE"] == "token"
    assert services["replicas"]["networks"] == ["ray"]


def test_the_docs_name_every_secret_to_be_set() -> None:
    docs = "".join((_ROOT / "docs" / page).read_text() for page in ("team.md", "cluster.md"))
    composes = "".join((_ROOT / name).read_text() for name in _FILES)
    secrets = set(re.findall(r"\$\{(\w+_(?:PASSWORD|TOKEN)):-", composes))
    assert len(secrets) == 6
    assert [name for name in secrets if name not in docs] == []


def test_no_service_fills_the_disk_with_its_log() -> None:
    one, many = (_services(name) for name in _FILES)
    merged = {name: {**one.get(name, {}), **many.get(name, {})} for name in one | many}
    assert len(merged) == 9
    assert [name for name, service in merged.items() if "logging" not in service] == []


def test_no_health_check_starts_ray_every_few_seconds() -> None:
    services = [s for name in _FILES for s in _services(name).values()]
    checks = [s["healthcheck"].get("test", [""]) for s in services if "healthcheck" in s]
    assert len(checks) == 6
    assert not [check for check in checks if "ray" in check]


def test_replicas_get_no_password_but_rays() -> None:
    for name in ("ray-head", "replicas"):
        environment = _services("compose.cluster.yaml")[name]["environment"]
        assert not [key for key in environment if not key.startswith("RAY_")]


def _compose() -> list[str]:
    """The command of Docker Compose, 2 or newer; nothing where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is not None:
            answer = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, check=False
            )
            if answer.returncode == 0 and not answer.stdout.lstrip("v").startswith("1."):
                return command
    return []


@pytest.mark.parametrize("files", [_FILES[:1], _FILES])
def test_compose_takes_them(files: tuple[str, ...]) -> None:
    command = _compose()
    if not command:
        pytest.skip("there is no Docker Compose")
    named = [part for name in files for part in ("-f", name)]
    subprocess.run(
        [*command, *named, "config", "--quiet"],
        cwd=_ROOT,
        check=True,
        env={**os.environ, "COMPOSE_PROJECT_NAME": "test"},
    )


def test_a_click_whose_front_ends_goes_to_another_one() -> None:
    clicks = yaml.load((_ROOT / _FILES[1]).read_text(), _Loader)["configs"]["balancer"]["content"]
    (location,) = re.findall(r"location = /predict \{[^}]*\}", clicks)
    assert "proxy_next_upstream error http_503 non_idempotent;" in location
    assert "server backend:9090 resolve max_fails=0;" in clicks  # one of two is always asked
