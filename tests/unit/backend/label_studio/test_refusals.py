"""What Label Studio's refusals become."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest

from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from backend.label_studio.api import LabelStudioApi
from tests.fakes import LoopbackSite, QuietHandler

_INVALID = {
    "status_code": 400,
    "detail": "Validation error",
    "validation_errors": {
        "url": ["Can't connect to ML backend http://127.0.0.1:9090"],
        "non_field_errors": ["Try again"],
    },
}


def _refusing(status: int, body: str) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    return Handler


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, '{"detail": "Invalid token."}', "the token is wrong; it is under Account & Settings"),
        (403, '{"detail": "Not yours"}', "403: Not yours.*a user who may, under Account"),
        (404, '{"detail": "Not found."}', "no project 7 that the token's user may see"),
        (400, json.dumps(_INVALID), "refuses GET /api/projects/7/.*: url: Can't connect .*; Try"),
        (400, '["Import data is empty"]', "refuses .*: Import data is empty$"),
        (500, "<html>" + "x" * 1000, "answered 500 to .*<html>x{200}"),
        (200, "<html>welcome</html>", "something else than JSON: is LABEL_STUDIO_URL"),
    ],
)
def test_a_refusal_becomes_a_sentence(status: int, body: str, words: str) -> None:
    with LoopbackSite(_refusing(status, body)).serving() as site:
        api = LabelStudioApi(LabelStudioAccess(url=site.url, api_key="key"))
        with pytest.raises(LabelStudioError, match=words) as caught:
            api.label_config(7)
    assert "{" not in str(caught.value)
    assert len(str(caught.value)) < 500
