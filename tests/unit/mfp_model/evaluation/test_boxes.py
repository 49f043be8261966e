import numpy as np
import pytest
from numpy.typing import NDArray

from mfp_model.errors import ConfigError, DataError
from mfp_model.evaluation.boxes import BoxScores, as_table, box_object, score_boxes
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import whole
from mfp_model.prediction import Prediction
from mfp_model.prompts import Box, Prompt
from mfp_model.segmenter import Segmenter
from tests.fakes import ClickSegmenter, DiskSegmenter


class _FillsBoxes(DiskSegmenter):
    """Answers the left half of each box."""

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        return (Box,)

    def segment(  # type: ignore[override]
        self, image: NDArray[np.uint8], prompts: list[Box], previous: None = None
    ) -> Prediction:
        (box,) = prompts
        height, width = image.shape[:2]
        values = np.zeros((height, width), dtype=np.float32)
        middle = (box.left + box.right) / 2
        values[int(box.top) : int(box.bottom), int(box.left) : int(middle)] = 1
        layers = LayeredMap(height=height, width=width).pasted(whole(height, width), values)
        return Prediction(prompts=(box,), layers=layers)


def _object(side: int, *, void: bool = False) -> EvaluationObject:
    truth = np.zeros((200, 240), dtype=bool)
    truth[10 : 10 + side, 20 : 20 + side] = True
    valid = np.ones_like(truth)
    if void:
        valid[:, 20 + side // 2 :] = False
    image = np.zeros((200, 240, 3), dtype=np.uint8)
    return EvaluationObject(name=str(side), image=image, truth=truth, valid=valid)


def _evaluated(segmenter: Segmenter, targets: list[EvaluationObject]) -> BoxScores:
    results = [box_object(segmenter, target) for target in targets]
    return score_boxes(boxed for boxed in results if boxed is not None)


def test_each_object_is_asked_for_by_its_box_and_counted_by_size() -> None:
    scores = _evaluated(_FillsBoxes(), [_object(10), _object(50), _object(150), _object(152)])
    assert scores.n_by_size == {"small": 1, "medium": 1, "large": 2}
    assert scores.miou == pytest.approx(0.5, abs=0.01)
    assert scores.miou_not_small == pytest.approx(0.5, abs=0.01)
    assert as_table(scores).splitlines()[-1] == "| all | 4 | 0.500 |"


def test_the_box_is_that_of_the_pixels_that_count() -> None:
    scores = _evaluated(_FillsBoxes(), [_object(100, void=True)])
    assert scores.miou == pytest.approx(0.5)


def test_what_cannot_be_measured_is_said() -> None:
    nothing = _object(0)
    with pytest.raises(DataError, match="no object has a pixel"):
        _evaluated(DiskSegmenter(), [nothing])
    with pytest.raises(ConfigError, match="know no boxes"):
        _evaluated(ClickSegmenter(), [nothing])
