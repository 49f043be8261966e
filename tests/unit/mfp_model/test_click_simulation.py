import numpy as np

from mfp_model.click_simulation import next_click


def test_the_deepest_point_of_the_larger_error_is_clicked() -> None:
    truth = np.zeros((40, 60), bool)
    truth[10:21, 20:31] = True
    click = next_click(truth, np.zeros_like(truth))
    assert click is not None
    assert (click.row, click.column, click.is_positive) == (15, 25, True)


def test_excess_gets_a_negative_click() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    click = next_click(np.zeros_like(mask), mask)
    assert click is not None
    assert not click.is_positive
    assert mask[click.row, click.column]


def test_no_error_left_is_no_click() -> None:
    truth = np.ones((5, 5), bool)
    assert next_click(truth, truth) is None


def test_ignored_and_clicked_pixels_are_not_clicked() -> None:
    truth = np.zeros((9, 9), bool)
    truth[2, 2] = truth[6, 6] = True
    valid, clicked = np.ones_like(truth), np.zeros_like(truth)
    valid[2, 2] = False
    click = next_click(truth, np.zeros_like(truth), valid=valid, clicked=clicked)
    assert click is not None
    assert (click.row, click.column) == (6, 6)
    clicked[6, 6] = True
    assert next_click(truth, np.zeros_like(truth), valid=valid, clicked=clicked) is None


def test_training_clicks_lie_deep_inside() -> None:
    truth = np.zeros((50, 50), bool)
    truth[10:40, 10:40] = True
    generator = np.random.default_rng(0)
    for _ in range(30):
        click = next_click(truth, np.zeros_like(truth), generator=generator)
        assert click is not None
        assert 17 <= click.row < 33
        assert 17 <= click.column < 33
