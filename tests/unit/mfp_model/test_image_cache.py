import numpy as np

from mfp_model.image_cache import ImageCache


def test_a_value_is_computed_once_while_its_image_is_among_the_newest() -> None:
    made: list[int] = []
    cache: ImageCache[int] = ImageCache(max_images=2)
    images = [np.full((2, 3, 3), value, dtype=np.uint8) for value in range(3)]

    def get(index: int) -> int:
        return cache.get(images[index].copy(), lambda: made.append(index) or index)

    assert [get(0), get(1), get(0), get(2), get(0), get(1)] == [0, 1, 0, 2, 0, 1]
    assert made == [0, 1, 2, 1]


def test_images_of_one_content_and_two_shapes_are_two() -> None:
    cache: ImageCache[str] = ImageCache(max_images=9)
    flat = np.zeros((2, 3, 3), dtype=np.uint8)
    assert cache.get(flat, lambda: "wide") == "wide"
    assert cache.get(flat.reshape(3, 2, 3), lambda: "high") == "high"
