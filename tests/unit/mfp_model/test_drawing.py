"""Pictures for people."""

import numpy as np

from mfp_model.drawing import triplet
from mfp_model.prompts import Click


def test_a_triplet_shows_image_truth_and_mask_side_by_side() -> None:
    truth = np.zeros((40, 60), dtype=np.bool_)
    truth[10:30, 20:40] = True
    image = np.full((40, 60, 3), 7, dtype=np.uint8)
    clicks = [Click(x=30, y=20), Click(x=0, y=40, is_positive=False)]
    picture = triplet(image, clicks, truth, ~truth)
    assert picture.shape == (40, 180, 3)
    assert picture[20, 30].tolist() == [60, 220, 60]
    assert (picture[:, 60:120, 0] == 255 * truth).all()
    assert (picture[:, 120:, 0] == 255 * ~truth).all()
