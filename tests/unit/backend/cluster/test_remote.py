"""What replicas answer, whichever of them does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.answering.newest_clicks import NewestClicks
from backend.answering.turns import ClickedObject, Place, SupersededError, Turns
from backend.cluster.front import ClusterFront
from backend.cluster.messages import ClusterError, Which
from backend.cluster.register import Register
from backend.cluster.remote import RemoteSegmenter, for_click
from backend.cluster.replica import Replica
from backend.images.loader import LoadedImage
from backend.models.served import ServedModels
from backend.server.app import create_app, make_app
from backend.server.service import create_service
from mfp_model.errors import PromptError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.prompts import Box, Click, Prompt
from mfp_model.segmenters.mfp import MfpSegmenter
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.cluster.near import NearReplicas, replica
from tests.unit.backend.page import point, request

_CLICKS = st.lists(
    st.builds(Click, x=st.integers(0, 140), y=st.integers(0, 90), is_positive=st.booleans()),
    min_size=1,
    max_size=5,
)


def _disks(which: Which) -> DiskSegmenter:
    return DiskSegmenter()


def _place(*points: str, number: int = 1, task: str = "3:7") -> Place:
    who = ClickedObject(task=task, point_ids=frozenset(points))
    return Place(who, number, lambda: False, lambda: False)


def _same(first: Prediction, second: Prediction) -> bool:
    maps = np.array_equal(first.probability_map, second.probability_map)
    return maps and first.score == second.score and np.array_equal(first.mask, second.mask)


@pytest.mark.slow
@settings(max_examples=15)
@given(clicks=_CLICKS, lost=st.sets(st.integers(0, 4)), is_edit=st.booleans())
def test_replicas_give_the_bytes_of_one_process_also_where_each_round_is_another_ones(
    tiny_segmenter: MfpSegmenter,
    photo: NDArray[np.uint8],
    clicks: list[Click],
    lost: set[int],
    is_edit: bool,
) -> None:
    replicas = NearReplicas(replica(lambda which: tiny_segmenter))
    remote = RemoteSegmenter.of(replicas, Which())
    prior = np.zeros(photo.shape[:2], dtype=np.bool_)
    prior[10:40, 10:70] = True
    start = mask_prediction(MaskRuns.of(prior)) if is_edit else None
    image = LoadedImage(pixels=photo, digest="a photo")
    expected = list(tiny_segmenter.rounds(photo, clicks, start))
    rounds = remote.for_click(image, _place("p")).rounds(photo, clicks, start)
    for index, prediction in enumerate(rounds):
        assert _same(prediction, expected[index])
        if index in lost:
            replicas.there = [replica(lambda which: tiny_segmenter)]


def test_an_image_and_what_a_round_goes_on_from_are_sent_once(photo: NDArray[np.uint8]) -> None:
    replicas = NearReplicas(replica(_disks))
    remote = RemoteSegmenter.of(replicas, Which())
    mine = for_click(remote, LoadedImage(pixels=photo, digest="a"), _place("p"))
    list(mine.rounds(photo, [Click(x=10, y=10), Click(x=20, y=10)]))
    sent = [asked.picture.pixels is not None for asked in replicas.asked]
    assert sent == [False, True, False]
    assert all(asked.previous is None for asked in replicas.asked)
    replicas.there = [replica(_disks)]  # lost, with all it remembered
    again = mine.segment(photo, [Click(x=10, y=10)])
    list(mine.rounds(photo, [Click(x=10, y=10), Click(x=20, y=10)], again))
    assert replicas.asked[-1].previous is None
    replicas.there = [replica(_disks)]
    list(mine.rounds(photo, [Click(x=10, y=10), Click(x=20, y=10)], again))
    assert replicas.asked[-1].previous is not None


def test_a_replica_that_remembers_nothing_answers_all_the_same(photo: NDArray[np.uint8]) -> None:
    clicks = [Click(x=10 * index, y=20) for index in range(4)]
    remote = RemoteSegmenter.of(NearReplicas(replica(_disks, bytes_kept=0)), Which())
    assert _same(remote.segment(photo, clicks), DiskSegmenter().segment(photo, clicks))


def test_a_session_is_a_task_so_that_one_replica_answers_it(photo: NDArray[np.uint8]) -> None:
    replicas = NearReplicas(replica(_disks))
    remote = RemoteSegmenter.of(replicas, Which())
    image = LoadedImage(pixels=photo, digest="a")
    for_click(remote, image, _place("p", task="3:7")).segment(photo, [Click(x=1, y=1)])
    assert {asked.session for asked in replicas.asked} == {"3:7"}


def test_what_a_segmenter_knows_holds_for_the_remote_one(photo: NDArray[np.uint8]) -> None:
    remote = RemoteSegmenter.of(NearReplicas(replica(_disks)), Which())
    box: list[Prompt] = [Box(left=5, top=5, right=50, bottom=40)]
    assert remote.edits
    assert (remote.version, remote.device) == ("disks-1", "replicas: cpu")
    assert _same(remote.segment(photo, box), DiskSegmenter().segment(photo, box))
    with pytest.raises(PromptError, match="outside image"):
        remote.segment(photo, [Click(x=500, y=1)])
    even = np.ascontiguousarray(photo[:88])
    assert np.array_equal(remote.appearance(even), DiskSegmenter().appearance(even))


def test_a_replica_with_other_weights_than_the_fronts_is_refused(
    photo: NDArray[np.uint8],
) -> None:
    class Other(DiskSegmenter):
        @property
        def version(self) -> str:
            return "disks-2"

    replicas = NearReplicas(replica(_disks))
    remote = RemoteSegmenter.of(replicas, Which())
    replicas.there = [replica(lambda which: Other())]
    with pytest.raises(ClusterError, match="disks-2 where disks-1 was asked for"):
        remote.segment(photo, [Click(x=1, y=1)])


class _Waiting(DiskSegmenter):
    """Waits in each round of a click at x = 5 until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begins, self.may_go = threading.Event(), threading.Event()

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        if isinstance(prompts[0], Click) and prompts[0].x == 5:
            self.begins.set()
            assert self.may_go.wait(20)
        yield from super()._rounds(image, prompts, previous)


def _front(numbers: Register) -> Turns:
    """What a front on a machine of its own has."""
    newest = NewestClicks(next_number=numbers.next_number)
    return Turns(max_places=8, n_turns=8, newest=newest)


def test_a_newer_click_at_another_front_stops_an_older_one_that_waits_for_the_replica(
    photo: NDArray[np.uint8],
) -> None:
    waiting, numbers, outcomes = _Waiting(), Register(), list[str]()
    there = replica(lambda which: waiting)
    fronts = [_front(numbers), _front(numbers)]
    arrived = threading.Event()

    def ask(front: Turns, x: int, *points: str) -> None:
        remote = RemoteSegmenter.of(NearReplicas(there), Which())
        who = ClickedObject(task="3:7", point_ids=frozenset(points))
        with front.place(who) as place:
            arrived.set()
            mine = remote.for_click(LoadedImage(pixels=photo, digest="a"), place)
            try:
                mine.segment(photo, [Click(x=x, y=10)])
                outcomes.append(f"{x} answered")
            except SupersededError:
                outcomes.append(f"{x} superseded")

    threads = [threading.Thread(target=partial(ask, fronts[0], 5, "other"))]
    threads[0].start()
    assert waiting.begins.wait(20)
    for front, x, points in ((fronts[0], 20, ("p",)), (fronts[1], 30, ("p", "q"))):
        arrived.clear()
        threads.append(threading.Thread(target=partial(ask, front, x, *points)))
        threads[-1].start()
        assert arrived.wait(20)
        _until_waiting(there, x)
    waiting.may_go.set()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["20 superseded", "30 answered", "5 answered"]


def _until_waiting(there: Replica, x: int) -> None:
    """Until a click has come to the replica, in whose line it waits."""
    newest, points = there._newest, {20: {"p"}, 30: {"q"}}[x]
    for _ in range(2000):
        if newest.has_newer(0, "3:7", frozenset(points)):
            return
        threading.Event().wait(0.01)
    raise AssertionError("the click has not come")


def _results(client: FlaskClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What is answered, without the regions' ids, which are made up."""
    results: list[dict[str, Any]] = client.post("/predict", json=body).json["results"]
    for result in results:
        result["result"] = [{**row, "id": ""} for row in result["result"]]
    return results


def test_an_application_in_front_of_replicas_answers_as_one_that_computes() -> None:
    body = request(point("a", 60, 60), point("b", 90, 60, is_positive=False))
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    plain = create_app(temporary_settings(), models=models).test_client()
    replicas = NearReplicas(replica(_disks))
    settings = temporary_settings()
    service = create_service(settings, cluster=ClusterFront(replicas=replicas))
    front = make_app(settings, service).test_client()
    assert _results(front, body) == _results(plain, body)
    assert replicas.asked[-1].session == "3:7"
    assert replicas.asked[-1].point_ids == {"a", "b"}
    assert front.get("/ready").status_code == 200
