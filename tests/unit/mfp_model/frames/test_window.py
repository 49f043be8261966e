import pytest

from mfp_model.frames.window import Window

_WINDOW = Window(left=10, top=20, right=30, bottom=30)


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        (_WINDOW, 1),
        (Window(left=20, top=15, right=40, bottom=25), 50 / 350),
        (Window(left=0, top=25, right=20, bottom=35), 50 / 350),
        (Window(left=15, top=22, right=25, bottom=27), 50 / 200),
        (Window(left=30, top=20, right=50, bottom=30), 0),
        (Window(left=40, top=40, right=50, bottom=50), 0),
    ],
)
def test_windows_overlap_as_much_as_they_share(other: Window, iou: float) -> None:
    assert _WINDOW.iou(other) == other.iou(_WINDOW) == iou
