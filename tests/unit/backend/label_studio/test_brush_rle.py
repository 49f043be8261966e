import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_sdk.converter.brush import decode_rle, encode_rle
from numpy.typing import NDArray

from backend.label_studio.brush_rle import BrushRleError, decode, encode, encode_runs
from mfp_model.masks.runs import MaskRuns

_SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
_MASKS = _SHAPES.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
_ALPHAS = _SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape))


def _disk(height: int, width: int) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:height, :width]
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(height, width) / 2.5) ** 2


def _seconds(work: Callable[[], object]) -> float:
    """Of a core, at best of three times."""
    seconds = []
    for _ in range(3):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return min(seconds)


def test_the_documented_example() -> None:
    mask = np.array([[0, 1, 0], [0, 1, 1]], bool)
    rle = [0, 0, 0, 24, 57, 27, 252, 96, 17, 255, 206, 1, 63, 248]
    assert encode(mask) == rle
    np.testing.assert_array_equal(decode(rle, height=2, width=3), mask * np.uint8(255))


@settings(deadline=None)
@given(_MASKS)
def test_the_sdk_reads_what_is_written_bit_by_bit(mask: NDArray[np.bool_]) -> None:
    expected = np.repeat(mask.ravel(), 4) * np.uint8(255)
    np.testing.assert_array_equal(decode_rle(encode(mask)), expected)


@settings(deadline=None)
@given(_ALPHAS)
def test_what_the_sdk_writes_is_read_with_every_grey(alpha: NDArray[np.uint8]) -> None:
    rle = encode_rle(np.repeat(alpha.ravel(), 4))
    height, width = alpha.shape
    np.testing.assert_array_equal(decode(rle, height=height, width=width), alpha)


@pytest.mark.parametrize(
    "mask",
    [np.ones((1, 1), bool), np.zeros((300, 500), bool), np.ones((257, 511), bool), _disk(600, 800)],
)
def test_long_runs_round_trip(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    assert (decode(encode(mask), height=height, width=width) == mask * 255).all()
    assert (decode_rle(encode(mask)).reshape(height, width, 4)[..., 3] == mask * 255).all()


def test_damaged_streams_are_refused() -> None:
    rle = encode(_disk(20, 30))
    with pytest.raises(BrushRleError, match="truncated"):
        decode(rle[:-3], height=20, width=30)
    with pytest.raises(BrushRleError, match="truncated"):
        decode([], height=20, width=30)
    with pytest.raises(BrushRleError, match="expected 2404 for 601x1"):
        decode(rle, height=1, width=601)
    with pytest.raises(BrushRleError, match=r"0\.\.255"):
        decode([300, *rle], height=20, width=30)
    with pytest.raises(BrushRleError, match="words of 1 bits"):
        decode([*rle[:4], 0, *rle[5:]], height=20, width=30)


def test_encoding_is_at_least_as_fast_as_the_sdk() -> None:
    mask = _disk(3000, 4000)
    theirs = _seconds(lambda: encode_rle(np.repeat(mask.ravel(), 4) * np.uint8(255)))
    assert _seconds(lambda: encode(mask)) < theirs


def test_noise_is_read_five_times_as_fast_as_by_the_sdk() -> None:
    noise = encode(np.random.default_rng(0).random((200, 400)) < 0.5)
    ours = _seconds(lambda: decode(noise, height=200, width=400))
    assert 5 * ours < _seconds(lambda: decode_rle(noise))


def test_noise_is_written_in_some_memory_for_each_run() -> None:
    runs = MaskRuns.of(np.random.default_rng(0).random((300, 400)) < 0.5)
    tracemalloc.start()
    encode_runs(runs)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 200 * runs.flat_lengths().size
