"""Lines of the log that somebody else would like to write."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Callable, Iterator

import pytest

from backend.monitoring.journal import Journal
from backend.monitoring.logs import log_config, printable
from backend.monitoring.metrics import Metrics
from backend.monitoring.telemetry import Telemetry
from mfp_model.errors import DataError


@pytest.fixture
def text_log() -> Iterator[Callable[[], list[str]]]:
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    config = log_config("text")
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield lambda: stream.getvalue().splitlines()
    root.handlers[:], root.level = before


def test_a_message_is_one_line_whatever_is_in_it(text_log: Callable[[], list[str]]) -> None:
    hostile = "/\n2026-01-01 ERROR backend forged\r\x1b[31mred\x85\u2028\u202egnp.exe\x00"
    logging.getLogger("backend").warning("request to %s", hostile)
    (line,) = text_log()
    assert line.isprintable()
    assert "\\n2026-01-01" in line
    assert "\\x1b[31m" in line


def test_a_traceback_begins_no_line_of_the_log(text_log: Callable[[], list[str]]) -> None:
    try:
        raise ValueError("a\n2026-01-01 00:00:00,000 ERROR backend forged \x1b[31m")
    except ValueError:
        logging.getLogger("backend").exception("failed")
    first, *rest = text_log()
    assert "failed" in first
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_letters_of_all_languages_stay() -> None:
    text = "Größe 大きさ حجم 🙂 a b"
    assert printable(text) == text


def test_the_same_bug_at_each_click_has_one_traceback(text_log: Callable[[], list[str]]) -> None:
    telemetry = Telemetry(Metrics(), Journal())
    for _ in range(20):
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            telemetry.failed(error, during="a click")
    lines = text_log()
    assert sum("Traceback" in line for line in lines) == 1
    assert sum("as before" in line for line in lines) == 19


def test_what_a_request_holds_fills_neither_the_log_nor_the_status_page(
    text_log: Callable[[], list[str]],
) -> None:
    telemetry = Telemetry(Metrics(), Journal())
    told = telemetry.failed(DataError("a" * 1_000_000), during="a click")
    (error,) = telemetry.journal.errors(9)
    assert error.message == told
    assert len(told) < 3000
    assert sum(map(len, text_log())) < 4000
