import numpy as np
import pytest

from mfp_model.evaluation.mask_metrics import Confusion, boundary_f

_TRUTH = np.zeros((40, 60), dtype=np.bool_)
_TRUTH[10:30, 20:40] = True
_ALL = np.ones_like(_TRUTH)


def test_confusion_counts_what_is_valid() -> None:
    mask = np.array([[True, True], [False, False]])
    truth = np.array([[True, False], [True, False]])
    valid = np.array([[True, True], [True, False]])
    counts = Confusion.of(mask, truth, valid)
    assert counts == Confusion(
        object_object=1, object_background=1, background_object=1, background_background=0
    )
    assert counts.dice == pytest.approx(0.5)
    assert counts.precision == pytest.approx(0.5)
    assert counts.recall == pytest.approx(0.5)
    assert counts.accuracy == pytest.approx(1 / 3)


def test_nothing_found_of_nothing_is_perfect() -> None:
    empty = np.zeros((2, 2), dtype=np.bool_)
    counts = Confusion.of(empty, empty, ~empty)
    assert (counts.dice, counts.precision, counts.recall, counts.accuracy) == (1, 1, 1, 1)
    assert boundary_f(empty, empty, ~empty) == 1


def test_the_boundary_score_falls_with_the_distance() -> None:
    shifted = [np.roll(_TRUTH, n, axis=1) for n in (0, 1, 4, 15)]
    scores = [boundary_f(mask, _TRUTH, _ALL) for mask in shifted]
    assert scores[0] == scores[1] == 1
    assert 1 > scores[2] > scores[3]
    assert boundary_f(~_ALL, _TRUTH, _ALL) == 0
