"""How deep pixels lie."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mfp_model.errors import PromptError
from mfp_model.masks.depths import deepest_click, depth
from mfp_model.prompts import Click


def test_depth_is_the_distance_to_the_outside_and_to_the_images_border() -> None:
    mask = np.ones((3, 5), dtype=np.bool_)
    expected = np.array([[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]], dtype=np.float32)
    assert np.array_equal(depth(mask), expected)
    assert not depth(np.zeros((4, 4), dtype=np.bool_)).any()


def test_equally_deep_pixels_have_the_same_bytes() -> None:
    # The four middle pixels of a disk of even width; which is the first must not be luck.
    rows, columns = np.mgrid[0:80, 0:96]
    for radius in (7, 20.0, 33.5):
        disk = (rows - 39.5) ** 2 + (columns - 47.5) ** 2 < radius**2
        depths = depth(disk)
        assert np.array_equal(depths, depths[::-1])
        assert np.array_equal(depths, depths[:, ::-1])
        assert np.array_equal(np.rint(depths**2), (depths.astype(np.float64) ** 2).round())


def test_depth_does_not_depend_on_where_the_mask_lies_in_memory() -> None:
    rows, columns = np.mgrid[0:80, 0:96]
    disk = (rows - 40) ** 2 + (columns - 48) ** 2 < 400
    junk = [np.ones(n_bytes, dtype=np.uint8) for n_bytes in range(1, 4000, 97)]
    depths = []
    while junk:
        depths.append(depth(disk).tobytes())
        junk.pop()
    assert len(set(depths)) == 1
    assert deepest_click(disk) == Click(x=48.5, y=40.5)


def test_ipp_is_left_as_it_was() -> None:
    before = cv2.ipp.useIPP()
    depth(np.ones((2, 2), dtype=np.bool_))
    assert cv2.ipp.useIPP() == before


def test_the_deepest_pixel_of_an_empty_mask() -> None:
    with pytest.raises(PromptError, match="at least one pixel, got none"):
        deepest_click(np.zeros((3, 3), dtype=np.bool_))
