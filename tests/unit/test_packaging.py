"""What `pip install .` installs, and what the image is made of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[2]
_LOCKS = _ROOT / ".ci" / "packages"
_WITH_HASHES = ("packages.txt", "ray.txt", "sbom.txt", "torch-nvidia.txt")
_LOCKED = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ;[^\\\n]+)?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n",
    re.MULTILINE,
)


@pytest.mark.slow
def test_the_wheel_holds_weights_configurations_and_photos(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(_ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("label_studio_mfp-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "mfp_model/weights/lite2.safetensors",
        "mfp_model/weights/MODEL_CARD.md",
        "mfp_model/py.typed",
        "mfp_model/fine_tuning/general/annotations.json",
        "mfp_model/fine_tuning/general/images/cat.webp",
        "mfp_model/fine_tuning/templates/report.html",
        "backend/demo/photos/bowl.jpg",
        "backend/demo/photos/CREDITS.md",
        "backend/server/templates/status.html",
        "backend/recording/templates/sessions.html",
        "backend/storage/history/env.py",
        "backend/storage/history/versions/r0001_files.py",
        "label_config/one_class.xml",
        "label_config/several_classes.xml",
    ):
        assert name in names
    assert not [name for name in names if name.startswith("tests/")]


def test_label_studio_mls_own_versions_fit_ours() -> None:
    """Else pip finds no versions for the extra, which names the package that has these pins."""
    pins = {"flask": "1.1.2", "jinja2": "3.0.3", "werkzeug": "2.0.2"}  # of 1.0.9, beside others
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    ours = {r.name: r.specifier for r in map(Requirement, project["dependencies"])}
    assert [name for name, pin in pins.items() if pin not in ours[name]] == []


def _locked(name: str) -> dict[str, str]:
    """Version by package."""
    return {pin["name"]: pin["version"] for pin in _LOCKED.finditer((_LOCKS / name).read_text())}


@pytest.mark.parametrize("variant", ["cpu", "nvidia"])
def test_every_dependency_is_locked_at_a_version_that_fits(variant: str) -> None:
    locked = _locked("packages.txt") | _locked(f"torch-{variant}.txt")
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    needed = (
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *extras["postgres"],
        *extras["s3"],
    )
    for requirement in map(Requirement, needed):
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def test_the_image_for_several_machines_adds_ray_and_changes_nothing() -> None:
    others = _locked("packages.txt") | _locked("torch-nvidia.txt")
    added = _locked("ray.txt")
    assert added.keys().isdisjoint(others)
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    (ray,) = map(Requirement, project["optional-dependencies"]["ray"])
    assert ray.specifier.contains(added["ray"])


def test_both_images_have_the_same_torch() -> None:
    pins = _locked("torch-cpu.txt")
    assert pins.keys() == {"torch", "torchvision"}
    assert pins.items() <= _locked("torch-nvidia.txt").items()


@pytest.mark.parametrize("name", _WITH_HASHES)
def test_every_locked_package_has_hashes_and_the_lock_no_address(name: str) -> None:
    text = (_LOCKS / name).read_text()
    assert _LOCKED.sub(lambda pin: "" if pin["hashes"] else pin[0], text) == ""


def test_what_the_image_copies_is_there_and_gets_there() -> None:
    allowed = (_ROOT / ".dockerignore").read_text().split()
    copies = re.findall(r"^COPY (.+) \S+$", (_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for source in " ".join(copies).split():
        assert list(_ROOT.glob(source)), source
        assert any(f"!{part}" in allowed for part in (source, *map(str, Path(source).parents)))


def test_the_image_runs_as_a_user_that_owns_nothing_but_its_closed_data_folder() -> None:
    dockerfile = (_ROOT / "Dockerfile").read_text()
    uid = re.search(r"useradd --uid (\d+)", dockerfile)
    assert uid is not None
    assert f"\nUSER {uid[1]}\n" in dockerfile
    assert re.findall(r"install -d -o mfp .*", dockerfile) == [
        "install -d -o mfp -g mfp -m 0700 /data"
    ]
    assert "chown" not in dockerfile


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
def test_the_images_health_check_asks_the_server(status: int, is_healthy: bool) -> None:
    asked: list[str] = []

    class Backend(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    check = re.search(r"HEALTHCHECK [^[]+(\[.+\])", (_ROOT / "Dockerfile").read_text())
    assert check is not None
    with HTTPServer(("127.0.0.1", 0), Backend) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = f":{server.server_address[1]}/"
        command = [part.replace(":9090/", port) for part in json.loads(check[1])]
        ended = subprocess.run(command, capture_output=True)
        server.shutdown()
    assert (ended.returncode == 0) == is_healthy
    assert asked == ["/health"]
