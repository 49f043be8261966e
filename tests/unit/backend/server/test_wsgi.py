"""What a WSGI server of one's own is given."""

from __future__ import annotations

import logging.config
import re

import pytest
from flask import Flask
from gunicorn.util import import_app

from backend.server import wsgi
from tests.unit.pages import ROOT


def test_what_the_page_names_makes_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "python.md").read_text()
    (name,) = re.findall(r'`gunicorn "([^"]+)"`', page)
    made = Flask("made")
    monkeypatch.setattr(wsgi, "create_app", lambda settings: made)
    monkeypatch.setattr(logging.config, "dictConfig", lambda config: None)
    assert import_app(name) is made
