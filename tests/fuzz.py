"""Requests of the real Label Studio, bent at random: no 5xx, no bug, no mask of a wrong size.

    python -m tests.fuzz --requests 100000 --seed 1

sends them to the application in this process. Where one breaks it, that one is printed and the
command ends with 1. `--network` answers with the shipped network instead of disks.
"""

from __future__ import annotations

import argparse
import base64
import copy
import io
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from PIL import Image

from backend.label_studio.brush_rle import decode
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter, temporary_settings

_ROOT = Path(__file__).parents[1]
_CAPTURES = sorted((_ROOT / "tests" / "data" / "captures").glob("*.json"))
_SIZES = ((64, 48), (33, 70), (1, 1), (120, 8))
_ROUTES = ("/predict", "/setup", "/webhook")
_PAGES = ("/", "/health", "/metrics", "/jobs/1/log", "/jobs/1/cancel", "/models/v1/report", "/x")
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e308, -1e-308, 99.99),
    *(float("nan"), float("inf"), "", "x", "\ud800", "\x00", "%0a", "../..", "\x1b[2J", [], {}),
    *([[]], [{}], "brushlabels", "keypointlabels", "polygonlabels", "rectangle", "image", "Object"),
    *("s3://b/k", "/data/upload/1/a.png", "http://127.0.0.1:9/a.png", "file:///etc/passwd"),
    *("data:image/png;base64,AAAA", "//host/a", "http://[::1", "1.5", "-3", "<View/>", "&x;"),
)


@dataclass(slots=True)
class Outcome:
    """What a run saw.

    Attributes:
        statuses: How many answers had which status.
        n_masks: Masks that were answered, and looked at.
        failures: Requests that broke something, with what they broke.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    n_masks: int = 0
    failures: list[str] = field(default_factory=list)


class Fuzzer:
    """Makes requests from a seed, the same ones each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._pictures = [_picture(size, tone) for size in _SIZES for tone in (0, 200)]
        self._bodies = [json.loads(path.read_text()).get("json") for path in _CAPTURES]
        self._configs = [path.read_text() for path in (_ROOT / "label_config").glob("*.xml")]

    def request(self) -> dict[str, Any]:
        """Return the arguments of the next request, as Flask's test client takes them."""
        chance = self._random.random()
        if chance < 0.06:
            return self._page()
        body = self._body()
        for _ in range(self._random.choice((0, 1, 1, 2, 2, 3, 4, 8))):
            self._bend(body)
        content = json.dumps(body).encode()
        if chance < 0.16:
            content = self._cut(content)
        kind = "application/json" if chance < 0.97 else self._random.choice(("text/plain", "", "x"))
        route = self._random.choice(_ROUTES) if chance < 0.2 else self._route(body)
        return {"method": "POST", "path": route, "data": content, "content_type": kind}

    def _route(self, body: object) -> str:
        if isinstance(body, dict) and "tasks" in body:
            return "/predict"
        return "/webhook" if isinstance(body, dict) and "action" in body else "/setup"

    def _page(self) -> dict[str, Any]:
        path = self._random.choice((*_PAGES, *_ROUTES))
        if self._random.random() < 0.5:
            at = self._random.randrange(len(path))
            odd = ("%0a", "%00", "/..", "//", "9" * 300, "%ff", "?a=%zz", "\u00fc", " ", "#", ";")
            path = path[: at + 1] + self._random.choice(odd) + path[at + 1 :]
        headers = {
            self._random.choice(("Origin", "Host", "X-Request-ID", "Authorization", "Range")): (
                self._random.choice(
                    ("", "null", "http://evil", "http://[", "localhost", "Basic !!", "a" * 5000)
                )
            )
        }
        method = self._random.choice(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
        path, _, query = path.partition("?")
        environ = {"PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": query}
        return {"method": method, "path": "/", "headers": headers, "environ_overrides": environ}

    def _body(self) -> Any:  # noqa: ANN401
        """A captured body with a small picture, often with a configuration that we ship."""
        body = copy.deepcopy(self._random.choice(self._bodies))
        if not isinstance(body, dict):
            return body
        uri, (width, height) = self._random.choice(self._pictures)
        for task in body.get("tasks", []):
            task["data"] = dict.fromkeys(task["data"], uri)
            for point in ((body.get("params") or {}).get("context") or {}).get("result", []):
                point |= {"original_width": width, "original_height": height}
                point["value"] |= {name: self._random.uniform(0, 100) for name in ("x", "y")}
        if "label_config" in body and self._random.random() < 0.3:
            body["label_config"] = self._random.choice(self._configs)
        return body

    def _bend(self, body: object) -> None:
        """Replace, delete, repeat or swap something in place."""
        places = list(_places(body))
        if not places:
            return
        holder, key = self._random.choice(places)
        change = self._random.random()
        if change < 0.15:
            del holder[key]
        elif change < 0.3 and isinstance(holder, list):
            holder.extend([copy.deepcopy(holder[key])] * self._random.choice((1, 2, 50)))
        elif change < 0.45:
            other, other_key = self._random.choice(places)
            holder[key] = copy.deepcopy(other[other_key])
        elif change < 0.6 and isinstance(holder[key], str):
            holder[key] = self._cut(holder[key].encode("utf-8", "replace")).decode("latin-1")
        elif change < 0.65:
            holder[key] = self._random.choice(self._pictures)[0]
        elif change < 0.7 and isinstance(holder[key], float):
            holder[key] *= self._random.choice((-1, 0, 1e-9, 1.5, 1e9))
        elif change < 0.75 and isinstance(holder[key], int):
            holder[key] *= self._random.choice((-1, 0, 3, 10**9))
        else:
            holder[key] = copy.deepcopy(self._random.choice(_VALUES))

    def _cut(self, content: bytes) -> bytes:
        """The content with bytes changed, added or left out somewhere."""
        at = self._random.randint(0, len(content))
        until = min(len(content), at + self._random.choice((0, 0, 1, 5, 500)))
        return content[:at] + self._random.randbytes(self._random.randint(0, 6)) + content[until:]


def run(client: FlaskClient, *, seed: int, n_requests: int, limit_s: float = 1e9) -> Outcome:
    """Send requests, and return what came of them.

    Args:
        client: Of the application.
        seed: Of the requests.
        n_requests: How many.
        limit_s: No further ones after so long.
    """
    fuzzer, outcome = Fuzzer(seed), Outcome()
    until = time.monotonic() + limit_s
    for _ in range(n_requests):
        if time.monotonic() > until:
            break
        request = fuzzer.request()
        answer = client.open(**request)
        outcome.statuses[answer.status_code] += 1
        problem = _problem(request, answer, outcome)
        if problem:
            outcome.failures.append(f"{problem}: {request!r:.2000}")
    return outcome


def _problem(request: dict[str, Any], answer: Any, outcome: Outcome) -> str:  # noqa: ANN401
    if answer.status_code >= 500 or "internal error" in answer.text:
        return f"{answer.status_code} {answer.text[:300]}"
    if request["path"] != "/predict" or answer.status_code != 200 or not answer.is_json:
        return ""
    sizes = _sizes(json.loads(request["data"]))
    for result in answer.json["results"]:
        for row in result["result"]:
            outcome.n_masks += 1
            width, height = row["original_width"], row["original_height"]
            if (width, height) not in sizes:
                return f"a mask of {width}x{height}"
            if "rle" in row["value"]:
                decode(row["value"]["rle"], height=height, width=width)
            elif not all(0 <= part <= 100 for at in row["value"]["points"] for part in at):
                return "a corner outside the image"
    return ""


def _sizes(body: object) -> set[tuple[int, int]]:
    """The sizes of all pictures in a body that can be read."""
    sizes = set()
    for holder, key in _places(body):
        value = holder[key]
        if isinstance(value, str) and value.strip().lower().startswith("data:"):
            try:  # of any type and without padding, as browsers read it
                content = base64.b64decode(value.partition(",")[2] + "==")
                sizes.add(Image.open(io.BytesIO(content)).size)
            except (ValueError, OSError, SyntaxError):
                continue
    return sizes


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(min(len(value), 40)):
            yield value, key
            yield from _places(value[key])


def _picture(size: tuple[int, int], tone: int) -> tuple[str, tuple[int, int]]:
    buffer = io.BytesIO()
    Image.new("RGB", size, (tone, 90, 20)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", size


def client_of(*, has_network: bool = False) -> FlaskClient:
    """Return a client of an application that answers disks, or with the shipped network."""
    settings = temporary_settings(fetch_total_s=0.2, memory_mb=200.0, max_image_mb=1.0)
    models = ServedModels(lambda path: DiskSegmenter(radius=6), version="disks-1")
    return create_app(settings, models=None if has_network else models).test_client()


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=20.0, help="no further ones after so long")
    parser.add_argument("--network", action="store_true")
    options = parser.parse_args()
    client, started = client_of(has_network=options.network), time.monotonic()
    outcome = run(
        client, seed=options.seed, n_requests=options.requests, limit_s=60 * options.minutes
    )
    print(f"{sum(outcome.statuses.values())} requests in {time.monotonic() - started:.0f} s")
    print(f"statuses: {dict(sorted(outcome.statuses.items()))}; masks: {outcome.n_masks}")
    print(f"broke something: {len(outcome.failures)}", *outcome.failures[:20], sep="\n")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(_main())
