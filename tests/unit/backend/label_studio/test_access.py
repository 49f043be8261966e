"""The token goes along, whatever else the machine knows of that host."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.label_studio.access import LabelStudioAccess
from tests.fakes import LoopbackSite, QuietHandler


class _Echo(QuietHandler):
    """Answers with the header that authorizes."""

    def do_GET(self) -> None:
        sent = self.headers.get("Authorization", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


def test_a_password_in_netrc_does_not_take_the_tokens_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with LoopbackSite(_Echo).serving() as server:
        access = LabelStudioAccess(url=server.url, api_key="key")
        assert access.request("GET", "/api/projects").text == "Token key"
