"""What segment-and-inpaint is measured by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mfp_model.errors import DataError, ImageError
from mfp_model.evaluation.behind import behind_scores, look_behind, sheet
from mfp_model.evaluation.objects import EvaluationObject, UnreadObject
from mfp_model.evaluation.occlusions import occlusions
from mfp_model.evaluation.voc import ClassIou, VocImage, class_map, class_names, compared, read_voc
from mfp_model.finding.finders import (
    VOC_CLASSES,
    FoundObject,
)
from mfp_model.finding.layers import LayeredObject, LayersConfig, find_layers
from mfp_model.loading import load_inpainter
from tests.unit.mfp_model.drawn_scene import (
    GREEN,
    GREY,
    RED,
    ColourFinder,
    GreenInpainter,
    drawn_scene,
)


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    return drawn_scene()


class TestMeasures:
    """Composites with a known truth, and VOC's classes."""

    def _objects(self) -> list[UnreadObject]:
        objects = []
        for index, colour in enumerate((RED, GREEN)):
            truth = np.zeros((80, 100), dtype=np.bool_)
            truth[20 + 5 * index : 60, 20:70] = True
            image = np.full((80, 100, 3), GREY, dtype=np.uint8)
            image[truth] = colour
            target = EvaluationObject(
                name=str(index), image=image, truth=truth, valid=np.ones_like(truth)
            )
            objects.append(UnreadObject(truth=lambda x=truth: x, read=lambda x=target: x))  # type: ignore[misc]
        return objects

    def test_composites_cover_part_of_a_known_object(self) -> None:
        made = list(occlusions(self._objects(), 5, np.random.default_rng(0)))
        assert len(made) == 5
        for picture in made:
            share = (picture.front & picture.behind).sum() / picture.behind.sum()
            assert 0.25 <= share <= 0.6
        again = list(occlusions(self._objects(), 5, np.random.default_rng(0)))
        assert all((a.image == b.image).all() for a, b in zip(made, again, strict=True))
        assert not list(occlusions(self._objects()[:1], 5, np.random.default_rng(0)))

    def test_only_objects_that_are_drawn_are_read_and_damaged_ones_are_told(self) -> None:
        objects, n_read = self._objects() * 50, 0
        good = objects[0].read()

        def read() -> EvaluationObject:
            nonlocal n_read
            n_read += 1
            if n_read == 1:
                raise ImageError("cut")
            return good

        unread = [replace(x, read=read) for x in objects]
        problems: list[str] = []
        generator = np.random.default_rng(0)
        assert len(list(occlusions(unread, 3, generator, on_problem=problems.append))) == 3
        assert problems == ["cut"]
        assert n_read < 40

    def test_scores_and_sheet(self) -> None:
        made = list(occlusions(self._objects(), 3, np.random.default_rng(0)))
        inpainter = load_inpainter("telea")
        without, with_it = (
            list(look_behind(made, ColourFinder(), inpainter, LayersConfig(max_rounds=rounds)))
            for rounds in (0, 2)
        )
        scores = behind_scores(without)
        assert 0 < scores.mean_iou < 1
        assert scores.hidden_recall < 0.1
        assert behind_scores(with_it).mean_iou >= scores.mean_iou - 0.05
        picture = sheet(list(zip(without, with_it, strict=True)))
        assert picture.shape[0] == 3 * 164

    def test_vocs_layout_and_its_mean_iou(self, tmp_path: Path) -> None:
        for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (tmp_path / name).mkdir(parents=True)
        classes = np.zeros((6, 8), dtype=np.uint8)
        classes[:, 4:] = 8
        classes[0, 0] = 255
        truth = Image.fromarray(classes, mode="P")
        truth.putpalette([0, 0, 0] * 256)
        truth.save(tmp_path / "SegmentationClass" / "a.png")
        Image.new("RGB", (8, 6), "red").save(tmp_path / "JPEGImages" / "a.jpg")
        (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")

        (picture,) = read_voc(tmp_path)
        assert (picture.classes == classes).all()
        right = np.zeros((6, 8), dtype=np.bool_)
        right[:, 4:] = True
        cat = FoundObject(mask=right, score=1, label="cat")
        wider = FoundObject(mask=np.ones_like(right), score=1, label="dog")
        layers = [
            LayeredObject(whole=cat, order=0, visible=right),
            LayeredObject(whole=wider, order=1, visible=~right),
        ]
        collected = ClassIou(class_names(knows_classes=True))
        collected.add(picture.classes, class_map(layers[:1], (6, 8), knows_classes=True))
        assert collected.by_class() == {"background": 1.0, "cat": 1.0}
        collected.add(picture.classes, class_map(layers, (6, 8), knows_classes=True))
        assert collected.by_class()["cat"] == 1
        assert collected.by_class()["background"] == pytest.approx(0.5)
        assert class_map(layers, (6, 8), knows_classes=False).max() == 1
        (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("b\na\n")
        problems: list[str] = []
        (picture,) = read_voc(tmp_path, on_problem=problems.append)
        assert (picture.name, len(problems)) == ("a", 1)
        assert "b.jpg" in problems[0]
        with pytest.raises(DataError, match=r"b\.jpg"):
            list(read_voc(tmp_path))
        with pytest.raises(DataError, match=r"train\.txt"):
            list(read_voc(tmp_path, split="train"))

    @pytest.mark.parametrize("knows_classes", [True, False])
    def test_what_the_loop_completes_counts_without_it_as_it_was_seen(
        self, scene: NDArray[np.uint8], knows_classes: bool
    ) -> None:
        seen = find_layers(scene, ColourFinder(), GreenInpainter(), LayersConfig(max_rounds=0))
        classes = class_map(seen, (80, 100), knows_classes=True)  # a person, and some of a cat
        picture = VocImage(name="a", image=scene, classes=classes)
        collected = compared(
            [picture],
            ColourFinder(),
            GreenInpainter(),
            LayersConfig(max_rounds=2),
            knows_classes=knows_classes,
        )
        assert collected["without"].mean() == 1.0
        assert set(collected["with"].by_class()) == set(collected["without"].by_class())

    def test_no_picture_is_no_score(self) -> None:
        with pytest.raises(DataError, match="nothing to score"):
            compared([], ColourFinder(), GreenInpainter(), LayersConfig(), knows_classes=True)

    def test_a_class_without_a_name_is_refused(self) -> None:
        truth = np.full((2, 2), 21, dtype=np.uint8)
        with pytest.raises(DataError, match="class 21: expected 0 to 20, or 255"):
            ClassIou(VOC_CLASSES).add(truth, np.zeros_like(truth))
