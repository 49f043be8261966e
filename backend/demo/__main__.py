"""Start both servers, set up the project once, say where to click, stop on Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from backend.demo.demo_project import demo_project
from backend.demo.processes import (
    PASSWORD,
    TOKEN,
    USER,
    Server,
    ServerError,
    free_port,
    start_backend,
    start_label_studio,
)
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from mfp_model.errors import MfpError

_ROOT = Path(__file__).parents[2]
_TITLE = "Click on an object"
_START_LIMIT_S = 240

_CHEAT_SHEET = """
  1. Open a photo. In the bottom bar switch on Auto-Annotation, and then Auto-Accept Suggestions,
     which appears beside it. Label Studio has no setting that does so; your browser keeps both.
  2. Choose Auto-Detect, the icon of three pale pink dots (key M).
  3. Click on an object. Its mask is there; the next click is the next object.
  4. Ctrl+Alt+click on a mask takes away what is too much. A click on a mask and then one beside
     it add what is missing.
  5. Submit.
"""


def main() -> int:
    """Run the demo until Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Label Studio with this backend.")
    parser.add_argument("--data", type=Path, default=_ROOT / ".demo", help="kept between runs")
    data = parser.parse_args().data
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    servers: list[Server] = []
    try:
        _run(servers, data)
    except KeyboardInterrupt:
        _say("\nStopping.")
        return 0
    except MfpError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for server in servers:
            server.stop()
    return 0


def _run(servers: list[Server], data: Path) -> None:
    label_studio_port, backend_port = _port("Label Studio", 8080), _port("the backend", 9090)
    _say("Starting Label Studio (the first start creates its database) and the backend ", end="")
    label_studio = start_label_studio(
        _ROOT / ".venv-label-studio", data / "label-studio", port=label_studio_port
    )
    servers.append(label_studio)
    backend = start_backend(
        data / "backend.log", port=backend_port, label_studio_url=label_studio.url
    )
    servers.append(backend)
    for server in servers:
        server.wait(limit_s=_START_LIMIT_S, tick=lambda: _say(".", end=""))
    access = LabelStudioAccess(url=label_studio.url, api_key=TOKEN, timeout_s=60)
    api = LabelStudioApi(access)
    project = demo_project(api, _TITLE)
    api.connect_backend(project, backend.url)
    _say(f"\n\n  Open   {label_studio.url}/projects/{project}/data")
    _say(f"  Login  {USER}   Password  {PASSWORD}\n{_CHEAT_SHEET}")
    _say("  Ctrl-C stops both servers.")
    while True:
        time.sleep(1)
        for server in servers:
            if server.process.poll() is not None:
                raise ServerError(f"{server.name} ended by itself, see {server.log}")


def _port(name: str, wanted: int) -> int:
    port = free_port(wanted)
    if port != wanted:
        _say(f"Port {wanted} is taken, so {name} uses {port}.")
    return port


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main())
