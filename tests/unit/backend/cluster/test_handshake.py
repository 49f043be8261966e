"""Replicas that would not give the same bytes do not serve together."""

from __future__ import annotations

import pytest

from backend.cluster.handshake import check_alike, likeness_of
from backend.cluster.messages import ClusterError, Which
from backend.cluster.register import Register
from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.segmenters.mfp import MfpSegmenter
from tests.fakes import DiskSegmenter
from tests.unit.backend.cluster.near import agreeing, replica


def _other() -> DiskSegmenter:
    """The same version, computed a little differently."""
    return DiskSegmenter(radius=20.5)


def test_replicas_that_are_alike_serve_together(tiny_checkpoint: Checkpoint) -> None:
    register = Register()
    for _ in range(2):
        segmenter = MfpSegmenter(tiny_checkpoint, device="cpu", engine="pytorch-f32")
        replica(lambda which, mfp=segmenter: mfp, agreeing(register)).check()


def test_another_engine_does_not_serve_and_says_why(tiny_checkpoint: Checkpoint) -> None:
    register = Register()
    engines = [
        MfpSegmenter(tiny_checkpoint, device="cpu", engine=engine)
        for engine in ("pytorch-f32", "openvino-f32")
    ]
    replica(lambda which: engines[0], agreeing(register))
    with pytest.raises(ClusterError, match=r"computes on cpu, openvino.*, expected cpu"):
        replica(lambda which: engines[1], agreeing(register))


def test_other_last_digits_do_not_serve_even_where_all_names_are_the_same() -> None:
    register = Register()
    replica(lambda which: DiskSegmenter(), agreeing(register))
    with pytest.raises(ClusterError, match="proof"):
        replica(lambda which: _other(), agreeing(register))


def test_a_replica_leaves_when_a_register_that_forgot_all_hears_of_others_first() -> None:
    register, started_again = Register(), [False]
    other = Register()

    def agree(likeness: object) -> object:
        return (other if started_again[0] else register).agree("settings", likeness)  # type: ignore[arg-type]

    mine = replica(lambda which: DiskSegmenter(), agree)  # type: ignore[arg-type]
    mine.check()
    started_again[0] = True
    replica(lambda which: _other(), agreeing(other))
    with pytest.raises(ClusterError, match="proof"):
        mine.check()


def test_threads_and_the_processor_count() -> None:
    likeness = likeness_of(DiskSegmenter(), 2)
    assert likeness["threads"] == "2"
    assert likeness["processor"]
    with pytest.raises(ClusterError, match="threads 2, expected 4"):
        check_alike(likeness, {**likeness, "threads": "4"})
    with pytest.raises(ClusterError, match="gpu none, expected H100"):
        check_alike(likeness, {**likeness, "gpu": "H100"})


def test_a_version_is_loaded_when_it_is_first_asked_for() -> None:
    loaded = list[Which]()

    def load(which: Which) -> DiskSegmenter:
        loaded.append(which)
        return DiskSegmenter()

    mine = replica(load)
    fine_tuned = Which(checkpoint="/models/7.safetensors")
    for which in (Which(), fine_tuned, fine_tuned, Which(name="graph-cut")):
        mine.facts(which)
    assert loaded == [Which(), fine_tuned, Which(name="graph-cut")]
