"""Label Studio's API where it is away for a while, below a path, or refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from backend.cli import main
from backend.label_studio.access import (
    LabelStudioAccess,
    LabelStudioError,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
)
from backend.label_studio.api import LabelStudioApi, label_studio_api
from backend.label_studio.asking import ask
from mfp_model.errors import DataError
from tests.fakes import LoopbackSite, QuietHandler, temporary_settings


def _answering(*answers: tuple[int, object]) -> tuple[type[BaseHTTPRequestHandler], list[str]]:
    """A site that gives these answers, the last one again and again.

    For a 0 it hangs up, for a negative one amid its answer.
    """
    left, asked = list(answers), []

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = left.pop(0) if len(left) > 1 else left[0]
            if not status:
                self.close_connection = True
                return
            body = json.dumps(content).encode()
            self.send_response(abs(status))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body) + (status < 0)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET

    return Handler, asked


def _api(url: str, *, tries: int = 3) -> LabelStudioApi:
    access = LabelStudioAccess(url=url, api_key="key")
    return replace(LabelStudioApi(access), waits_s=(0.0,) * (tries - 1))


def test_who_is_patient_asks_again_and_who_is_not_does_not() -> None:
    for tries, n_asked in ((4, 4), (1, 1)):
        handler, asked = _answering(
            (502, {}), (0, {}), (-200, {}), (200, {"label_config": "<View/>"})
        )
        with LoopbackSite(handler).serving() as site:
            if tries > 1:
                assert _api(site.url, tries=tries).label_config(1) == "<View/>"
            else:
                with pytest.raises(LabelStudioError, match="answered 502"):
                    _api(site.url, tries=1).label_config(1)
        assert len(asked) == n_asked


def test_who_is_patient_asks_again_for_a_token_and_not_once_more_for_a_wrong_one() -> None:
    token, config = {"access": "short"}, {"label_config": "<View/>"}
    for status, n_asked in ((503, 3), (401, 1)):
        handler, asked = _answering((status, {}), (200, token), (200, config))
        with LoopbackSite(handler).serving() as site:
            access = LabelStudioAccess(url=site.url, api_key="personal.access.token")
            api = replace(LabelStudioApi(access), waits_s=(0.0,))
            if status == 503:
                assert api.label_config(1) == "<View/>"
            else:
                with pytest.raises(LabelStudioError, match="create a new one"):
                    api.label_config(1)
        assert len(asked) == n_asked


def test_what_may_have_been_done_is_not_sent_again() -> None:
    for status, message in ((502, "502"), (0, "reached")):
        handler, asked = _answering((status, {}))
        with LoopbackSite(handler).serving() as site:
            with pytest.raises(LabelStudioError, match=message):
                _api(site.url).add_prediction({"task": 1})
        assert len(asked) == 1
    handler, asked = _answering((503, {}), (201, {}))
    with LoopbackSite(handler).serving() as site:
        _api(site.url).add_prediction({"task": 1})
    assert len(asked) == 2


def test_a_refusal_of_what_was_sent_is_told_from_failures_that_concern_all() -> None:
    for status, is_refusal in ((400, True), (413, True), (401, False), (500, False)):
        handler, _ = _answering((status, {"detail": "no"}))
        with LoopbackSite(handler).serving() as site:
            with pytest.raises(LabelStudioError) as caught:
                _api(site.url).import_tasks(1, [])
        assert isinstance(caught.value, LabelStudioRefusedError) is is_refusal


@pytest.mark.parametrize(
    "asked",
    [
        LabelStudioAccess.check,
        lambda access: ask(access, "/api/projects/7/", "project 7"),
        lambda access: LabelStudioApi(access).label_config(7),
    ],
)
def test_a_label_studio_that_does_not_answer_is_unreachable(
    asked: Callable[[LabelStudioAccess], object],
) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))  # kept, else another test's server gets the port
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        for key in ("key", "personal.access.token"):
            with pytest.raises(LabelStudioUnreachableError, match=r"reached \(ConnectionError\)"):
                asked(LabelStudioAccess(url=url, api_key=key))
        place.listen()
        with pytest.raises(LabelStudioUnreachableError, match=r"reached \(ReadTimeout\): start"):
            LabelStudioAccess(url=url, api_key="key", timeout_s=0.05).check()
    with pytest.raises(LabelStudioError, match="InvalidURL") as caught:
        asked(LabelStudioAccess(url="http://", api_key="key"))
    assert not isinstance(caught.value, LabelStudioUnreachableError)


@pytest.mark.parametrize(
    ("status", "key", "words"),
    [
        (401, "key", "does not accept LABEL_STUDIO_API_KEY"),
        (403, "", "asks for a token"),
        (302, "key", "redirects: set LABEL_STUDIO_URL"),
    ],
)
def test_a_check_tells_what_is_to_be_set(status: int, key: str, words: str) -> None:
    handler, _ = _answering((status, {}))
    with LoopbackSite(handler).serving() as site, pytest.raises(LabelStudioError, match=words):
        LabelStudioAccess(url=site.url, api_key=key).check()


def test_a_token_is_exchanged_anew_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    handler, asked = _answering((200, {"access": "short"}))
    with LoopbackSite(handler).serving() as site:
        access = LabelStudioAccess(url=site.url, api_key="personal.access.token")
        for lifetime_s, n_asked in ((60, 1), (-1, 3)):
            monkeypatch.setattr("backend.label_studio.access._BEARER_LIFETIME_S", lifetime_s)
            access.forget()
            for _ in range(2):
                assert access.headers() == {"Authorization": "Bearer short"}
            assert len(asked) == n_asked


def test_something_else_at_its_address_is_not_called_unreachable() -> None:
    handler, _ = _answering((200, ["welcome"]))
    with LoopbackSite(handler).serving() as site:
        access = LabelStudioAccess(url=site.url, api_key="personal.access.token")
        with pytest.raises(LabelStudioError, match="cannot be asked for a token") as caught:
            access.check()
    assert not isinstance(caught.value, LabelStudioUnreachableError)


def test_what_json_cannot_hold_is_not_called_unreachable() -> None:
    handler, _ = _answering((200, {}))
    with LoopbackSite(handler).serving() as site:
        with pytest.raises(DataError, match="cannot be sent as JSON"):
            _api(site.url).import_tasks(1, [{"score": float("nan")}])


@pytest.mark.parametrize("below", ["", "/label-studio"])
def test_an_uploaded_file_has_an_address_that_exists_below_a_path_too(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    handler, asked = _answering((201, {"file_upload_ids": [7]}), (200, {"file": "upload/1/a.png"}))
    with LoopbackSite(handler).serving() as site:
        address = _api(site.url + below).upload_file(1, tmp_path / "a.png")
    assert address == f"{below}/data/upload/1/a.png"
    assert asked[1] == f"GET {below}/api/import/file-upload/7"


def test_an_uploaded_file_has_the_address_that_it_has_in_browsers(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    handler, _ = _answering((201, {"file_upload_ids": [7]}), (200, {"file": "upload/1/a.png"}))
    with LoopbackSite(handler).serving() as site:
        settings = temporary_settings(
            label_studio_url=site.url,
            label_studio_public_url="https://labels.example/annotate",
            label_studio_api_key="key",
        )
        address = label_studio_api(settings).upload_file(1, tmp_path / "a.png")
    assert address == "/annotate/data/upload/1/a.png"


_SEVERAL = (
    "0a1b-a b.png: Your label config has more than one data key and direct file upload supports"
)


@pytest.mark.parametrize("below", ["", "/label-studio"])
def test_a_file_for_a_project_of_several_images_is_kept_though_no_task_is_made_of_it(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "a b.png").write_bytes(b"x")
    reason = {"validation_errors": {"non_field_errors": [f"Failed to parse input file {_SEVERAL}"]}}
    handler, _ = _answering((400, reason))
    with LoopbackSite(handler).serving() as site:
        address = _api(site.url + below).upload_file(7, tmp_path / "a b.png")
    assert address == f"{below}/data/upload/7/0a1b-a b.png"


def test_an_upload_is_sent_whole_again_where_label_studio_was_away(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x" * 1000)
    handler, asked = _answering(
        (502, ""), (503, ""), (201, {"file_upload_ids": [7]}), (200, {"file": "upload/1/a.png"})
    )
    with LoopbackSite(handler).serving() as site:
        assert _api(site.url).upload_file(1, tmp_path / "a.png") == "/data/upload/1/a.png"
    assert len(asked) == 4


def test_a_short_lived_token_that_ended_early_is_renewed_once() -> None:
    token, tasks = {"access": "t"}, {"tasks": [{"id": 7}], "total": 1}
    handler, asked = _answering((200, token), (401, {}), (200, token), (200, tasks), (401, {}))
    with LoopbackSite(handler).serving() as site:
        api = LabelStudioApi(LabelStudioAccess(url=site.url, api_key="personal.access.token"))
        assert api.n_tasks(1) == 1
    assert [line.partition(" ")[0] for line in asked] == ["POST", "GET", "POST", "GET"]
    handler, asked = _answering((401, {}))
    with LoopbackSite(handler).serving() as site, pytest.raises(LabelStudioError, match="wrong"):
        _api(site.url).n_tasks(1)
    assert len(asked) == 1, "a legacy token stays as it is"


def test_a_token_that_cannot_be_exchanged_just_now_need_not_be_made_anew() -> None:
    for status, advice in ((401, "create a new one"), (503, "try later")):
        handler, _ = _answering((status, {}))
        with LoopbackSite(handler).serving() as site:
            access = LabelStudioAccess(url=site.url, api_key="personal.access.token")
            with pytest.raises(LabelStudioError, match=f"{status} to the .* token: {advice}"):
                access.check()


@pytest.mark.parametrize(
    "answer",
    [
        *(None, [], {}, "welcome", {"tasks": None, "total": 1}, {"tasks": [{}], "total": 1}),
        *({"tasks": [None], "total": 1}, {"tasks": [{"id": 8}]}, {"tasks": [{"id": 8}, {"id": 8}]}),
        {"tasks": [{"id": 7}], "total": 1},  # was not asked for, and would be again and again
    ],
)
def test_json_that_is_not_label_studios_is_named(answer: object) -> None:
    handler, _ = _answering((200, answer))
    with LoopbackSite(handler).serving() as site:
        with pytest.raises(LabelStudioError, match="of another form.*is LABEL_STUDIO_URL"):
            _api(site.url).tasks_after(1, 7, limit=10)


def test_tasks_have_everybodys_drafts() -> None:
    """Label Studio lists those of the token's user only."""
    rows = [
        {"id": 8, "draft_exists": True, "drafts": [], "annotations": []},
        {"id": 9, "draft_exists": False, "drafts": [], "annotations": []},
    ]
    theirs = [{"id": 3, "user": "b@example.com", "result": []}]
    handler, asked = _answering((200, {"tasks": rows, "total": 2}), (200, theirs))
    with LoopbackSite(handler).serving() as site:
        eight, nine = _api(site.url).tasks_after(1, 7, limit=10)
    assert (eight["drafts"], nine["drafts"]) == (theirs, [])
    assert asked[1:] == ["GET /api/tasks/8/drafts"]


def test_a_draft_that_is_submitted_while_tasks_are_read_is_there_as_annotation() -> None:
    before = {"id": 8, "draft_exists": True, "drafts": [], "annotations": []}
    after = {"id": 8, "draft_exists": False, "drafts": [], "annotations": [{"id": 5}]}
    for again, expected in (([after], after), ([], before), ([{"id": 9}], before)):
        handler, _ = _answering(
            *((200, {"tasks": [before], "total": 1}), (200, [])),
            (200, {"tasks": again, "total": 1}),
        )
        with LoopbackSite(handler).serving() as site:
            assert _api(site.url).tasks_after(1, 7, limit=10) == [expected]
    handler, _ = _answering((200, {"tasks": [before], "total": 1}), (404, {}))
    with LoopbackSite(handler).serving() as site:
        assert _api(site.url).tasks_after(1, 7, limit=10) == [before]


def test_a_project_is_looked_for_by_its_title_however_many_newer_ones_there_are() -> None:
    titles = {7: "Cats & dogs, old", 8: "Cats & dogs"}
    rows = [{"id": number, "title": title} for number, title in titles.items()]
    handler, asked = _answering((200, {"results": rows}))
    with LoopbackSite(handler).serving() as site:
        assert _api(site.url).project_named("Cats & dogs") == 8
        assert _api(site.url).project_named("cats & dogs") is None
    assert asked[0] == "GET /api/projects/?page_size=100&title=Cats+%26+dogs"


def test_the_backend_that_a_project_had_before_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    before = [{"id": 5, "url": "http://team:word@sam:9090"}]
    for address, is_noted in (("http://mfp:9090", True), ("http://team:word@sam:9090", False)):
        handler, asked = _answering((200, before), (200, {}))
        with LoopbackSite(handler).serving() as site, pytest.MonkeyPatch.context() as patch:
            patch.setenv("LABEL_STUDIO_URL", site.url)
            patch.setenv("LABEL_STUDIO_API_KEY", "key")
            assert main(["connect", "--backend", address, "--project", "1"]) == 0
        assert asked == ["GET /api/ml/?project=1", "PATCH /api/ml/5"]
        noted = "note: project 1 was connected to http://sam:9090, and is no more\n"
        assert capsys.readouterr().err == (noted if is_noted else "")
