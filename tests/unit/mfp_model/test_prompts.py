import pytest

from mfp_model.errors import ClickError
from mfp_model.prompts import Click, check_clicks, parse_click


def test_text_becomes_a_click() -> None:
    assert parse_click("12, 30.5,+") == Click(x=12, y=30.5, is_positive=True)
    assert parse_click("0,0,-") == Click(x=0, y=0, is_positive=False)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3", "a,2,+", "1,2,+,-", "nan,1,+", "-1,2,+"])
def test_other_text_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ClickError, match="expected|must be"):
        parse_click(text)


def test_the_far_edges_belong_to_the_image() -> None:
    assert len(check_clicks([Click(x=640, y=480)], height=480, width=640)) == 1


def test_a_click_outside_names_itself_and_the_size() -> None:
    with pytest.raises(ClickError, match="x=812 outside image of width 640"):
        check_clicks([Click(x=812, y=3)], height=480, width=640)
    with pytest.raises(ClickError, match="y=481 outside image of height 480"):
        check_clicks([Click(x=8, y=481)], height=480, width=640)
