import numpy as np
import pytest

from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.plots import plot_confusion, plot_sweeps
from mfp_model.evaluation.tuning import SMOOTHNESSES, tune
from mfp_model.graph_cut.constants import GraphCutConfig
from tests.fakes import DiskSegmenter


def _object(index: int) -> EvaluationObject:
    rows, columns = np.mgrid[0:60, 0:60]
    truth = (rows - 30) ** 2 + (columns - 30) ** 2 < (12 + index) ** 2
    image = np.zeros((60, 60, 3), dtype=np.uint8)
    return EvaluationObject(name=str(index), image=image, truth=truth, valid=np.ones_like(truth))


def test_the_constants_with_the_best_mean_are_chosen_and_judged_on_others() -> None:
    scores = []

    def make(config: GraphCutConfig) -> DiskSegmenter:
        return DiskSegmenter(radius=6 + config.smoothness / 2 + 5 * (config.n_refits == 1))

    start = GraphCutConfig(smoothness=64.0)
    objects = [_object(index) for index in range(4)]
    tuning = tune(
        start, make, objects, n_folds=2, report=lambda config, score: scores.append(score)
    )
    assert tuning.score == max(scores) >= max(tuning.sweep.values())
    assert list(tuning.sweep) == list(SMOOTHNESSES)
    assert tuning.sweep[tuning.config.smoothness] == tuning.score
    assert tuning.held_out_score <= tuning.score
    assert tuning.n_tried == len(scores)
    assert len(tuning.sweep_by_fold[1.0]) == 2
    assert plot_sweeps({"rgb": tuning, "deep": tuning}).startswith(b"\x89PNG")


def test_a_confusion_matrix_is_drawn() -> None:
    shares = {
        "object_object": 0.2,
        "object_background": 0.1,
        "background_object": 0.0,
        "background_background": 0.7,
    }
    assert plot_confusion(shares, title="x").startswith(b"\x89PNG")
    assert sum(shares.values()) == pytest.approx(1)
