"""Segment and inpaint: inpainters, finders, layers, and what it is measured by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from mfp_model.errors import CheckpointError, ConfigError, DataError, ImageError
from mfp_model.evaluation.behind import behind_scores, look_behind, sheet
from mfp_model.evaluation.objects import EvaluationObject, UnreadObject
from mfp_model.evaluation.occlusions import occlusions
from mfp_model.evaluation.voc import ClassIou, VocImage, class_map, class_names, compared, read_voc
from mfp_model.finding.finders import (
    VOC_CLASSES,
    ClickFinder,
    DeepLabFinder,
    Finder,
    FoundObject,
    Mask,
)
from mfp_model.finding.inpainters import Inpainter
from mfp_model.finding.layers import LayeredObject, LayersConfig, common_mask, find_layers
from mfp_model.loading import load_finder, load_inpainter
from mfp_model.names import INPAINTERS
from mfp_model.prompts import Click
from mfp_model.segmenters.behind import InpaintingSegmenter
from tests.fakes import DiskSegmenter

_RED, _GREEN, _GREY = (220, 30, 30), (30, 200, 40), (120, 120, 120)


class ColourFinder(Finder):
    """Finds what is red and what is green."""

    version = "colours"

    def find(self, image: NDArray[np.uint8], within: Mask | None = None) -> list[FoundObject]:
        objects = []
        for score, label, colour in ((0.9, "person", _RED), (0.8, "cat", _GREEN)):
            mask = (np.abs(image.astype(int) - colour) < 25).all(axis=2)
            if mask.mean() > 0.005:
                objects.append(FoundObject(mask=mask, score=score, label=label))
        return objects


class GreenInpainter(Inpainter):
    """Fills what is removed as if a green square went on behind it."""

    version = "green"

    def filled(self, image: NDArray[np.uint8], hole: Mask) -> NDArray[np.uint8]:
        filled = image.copy()
        filled[hole] = _GREY
        square = np.zeros_like(hole)
        square[20:60, 20:60] = True
        filled[hole & square] = _GREEN
        return filled


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """A red square before the right part of a green one, 80x100."""
    image = np.full((80, 100, 3), _GREY, dtype=np.uint8)
    image[20:60, 20:60] = _GREEN
    image[30:70, 45:90] = _RED
    return image


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # of writing the test's files
class TestInpainters:
    """One contract: outside the hole nothing changes."""

    @pytest.mark.parametrize("name", ["telea", "navier-stokes"])
    def test_fill_the_hole_and_nothing_else(self, name: str) -> None:
        image = np.full((700, 900, 3), 90, dtype=np.uint8)
        image[:, 450:] = 160
        hole = np.zeros((700, 900), dtype=np.bool_)
        hole[200:400, 100:300] = True
        image[hole] = 255
        filled = load_inpainter(name).inpaint(image, hole)
        assert (filled[~hole] == image[~hole]).all()
        assert (np.abs(filled[hole].astype(int) - 90) < 12).all()

    def test_nothing_to_fill_and_nothing_to_fill_from(self) -> None:
        image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
        for hole in (np.zeros((10, 10), np.bool_), np.ones((10, 10), np.bool_)):
            assert load_inpainter("telea").inpaint(image, hole) is image
        tiny = np.zeros((1, 1, 3), dtype=np.uint8)
        load_inpainter("telea").inpaint(tiny, np.ones((1, 1), np.bool_))
        with pytest.raises(ImageError, match="hole"):
            load_inpainter("telea").inpaint(image, np.zeros((9, 10), np.bool_))

    def test_lamas_file_is_given_image_and_hole_padded_to_eights(self, tmp_path: Path) -> None:
        class Lama(nn.Module):
            def forward(self, image: Tensor, hole: Tensor) -> Tensor:
                assert image.shape[2] % 8 == 0
                assert image.shape[3] % 8 == 0
                return image * (1 - hole) + 0.5 * hole

        torch.jit.script(Lama()).save(tmp_path / "lama.pt")
        inpainter = load_inpainter("lama", weights=tmp_path / "lama.pt", device="auto")
        hole = np.zeros((21, 33), dtype=np.bool_)
        hole[5:9, 5:9] = True
        filled = inpainter.inpaint(np.zeros((21, 33, 3), dtype=np.uint8), hole)
        assert (filled[hole] == 128).all()
        assert (filled[~hole] == 0).all()
        assert inpainter.version == "lama-lama"

    def test_mats_file_is_given_what_is_known_and_the_same_noise(self, tmp_path: Path) -> None:
        class Mat(nn.Module):
            def forward(self, image: Tensor, kept: Tensor, noise: Tensor, none: Tensor) -> Tensor:
                assert image.shape == (1, 3, 512, 512)
                return image * kept + noise.mean() * (1 - kept) * 0 + (1 - kept)

        torch.jit.script(Mat()).save(tmp_path / "mat.pt")
        inpainter = load_inpainter("mat", weights=tmp_path / "mat.pt")
        hole = np.zeros((40, 60), dtype=np.bool_)
        hole[10:20, 10:20] = True
        filled = inpainter.inpaint(np.zeros((40, 60, 3), dtype=np.uint8), hole)
        assert (filled[12:18, 12:18] == 255).all()
        assert (filled[~hole] == 0).all()

    def test_wrong_names_and_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="telea"):
            load_inpainter("paint")
        with pytest.raises(ConfigError, match="TorchScript"):
            load_inpainter("lama")
        with pytest.raises(ConfigError, match="no weights"):
            load_inpainter("telea", weights=tmp_path)
        (tmp_path / "x.pt").write_bytes(b"nonsense")
        with pytest.raises(CheckpointError, match="TorchScript"):
            load_inpainter("lama", weights=tmp_path / "x.pt")
        with pytest.raises(CheckpointError, match="no such file"):
            load_inpainter("mat", weights=tmp_path / "y.pt")
        with pytest.raises(ConfigError, match="device 'abacus'"):
            load_inpainter("lama", weights=tmp_path / "x.pt", device="abacus")
        assert len(INPAINTERS) == 4


class TestFinders:
    """Objects without a person's clicks."""

    def test_clicks_go_where_nothing_is_found_yet(self) -> None:
        segmenter = DiskSegmenter(radius=20)
        objects = ClickFinder(segmenter, grid=4).find(np.zeros((100, 100, 3), dtype=np.uint8))
        assert objects
        assert segmenter.n_rounds <= 16
        for index, item in enumerate(objects):
            assert all(
                (item.mask & other.mask).sum() < item.mask.sum() for other in objects[:index]
            )

    def test_clicks_stay_within_what_changed(self) -> None:
        segmenter = DiskSegmenter(radius=20)
        nowhere = np.zeros((100, 100), dtype=np.bool_)
        assert not ClickFinder(segmenter).find(np.zeros((100, 100, 3), np.uint8), nowhere)
        assert segmenter.n_rounds == 0

    @pytest.mark.slow
    def test_deeplabs_file_is_read_by_its_layout(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torchvision.models.segmentation import deeplabv3_resnet101

        # At its own size it takes ten seconds, and what it finds here hangs on no pixel.
        monkeypatch.setattr("mfp_model.finding.finders._DEEPLAB_PX", 64)
        network = deeplabv3_resnet101(weights=None, weights_backbone=None, aux_loss=True)
        weights = network.state_dict()
        weights["classifier.4.weight"].zero_()
        weights["classifier.4.bias"].zero_()
        weights["classifier.4.bias"][VOC_CLASSES.index("cat")] = 99.0
        torch.save(weights, tmp_path / "deeplab.pth")
        finder = load_finder("deeplab", checkpoint=tmp_path / "deeplab.pth", device="cpu")
        (found_object,) = finder.find(np.zeros((20, 30, 3), dtype=np.uint8))
        assert found_object.label == "cat"
        assert found_object.mask.all()
        with pytest.raises(CheckpointError, match="DeepLabV3"):
            DeepLabFinder(tmp_path / "missing.pth", torch.device("cpu"))

    @pytest.mark.parametrize(
        ("shape", "shown"),
        [
            ((3000, 4000), (520, 693)),
            ((60, 20), (1560, 520)),
            ((20_000, 100), (31_623, 158)),
            ((1, 9000), (24, 212_132)),
        ],
    )
    def test_deeplab_is_shown_a_strip_smaller(
        self,
        shape: tuple[int, int],
        shown: tuple[int, int],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        class Looking(nn.Module):
            def forward(self, image: Tensor) -> dict[str, Tensor]:
                assert image.shape[2:] == shown
                return {"out": torch.zeros(1, len(VOC_CLASSES), 8, 8)}

        monkeypatch.setattr(
            "torchvision.models.segmentation.deeplabv3_resnet101", lambda **options: Looking()
        )
        torch.save({}, tmp_path / "none.pth")
        finder = DeepLabFinder(tmp_path / "none.pth", torch.device("cpu"))
        assert not finder.find(np.zeros((*shape, 3), dtype=np.uint8))

    def test_wrong_names_are_named(self) -> None:
        with pytest.raises(ConfigError, match="mfp, deeplab"):
            load_finder("sam")
        with pytest.raises(ConfigError, match="weights fetch"):
            load_finder("deeplab")


class TestLoop:
    """What is behind what."""

    def test_the_object_behind_is_completed_and_marked(self, scene: NDArray[np.uint8]) -> None:
        layers = find_layers(scene, ColourFinder(), GreenInpainter(), LayersConfig(max_rounds=3))
        front, behind = layers
        assert (front.whole.label, front.order) == ("person", 0)
        assert (behind.whole.label, behind.order) == ("cat", 1)
        assert behind.is_hidden
        assert behind.whole.mask[20:60, 20:60].all()
        assert not behind.visible[35, 50]

    def test_without_rounds_it_only_finds(self, scene: NDArray[np.uint8]) -> None:
        layers = find_layers(scene, ColourFinder(), GreenInpainter(), LayersConfig(max_rounds=0))
        assert [layer.order for layer in layers] == [0, 0]
        assert not layers[1].whole.mask[35, 50]

    def test_it_stops_when_nothing_is_left(self) -> None:
        class Counting(ColourFinder):
            n_calls = 0

            def find(
                self, image: NDArray[np.uint8], within: Mask | None = None
            ) -> list[FoundObject]:
                self.n_calls += 1
                return super().find(image)

        finder = Counting()
        empty = np.full((40, 40, 3), _GREY, dtype=np.uint8)
        assert not find_layers(empty, finder, GreenInpainter(), LayersConfig(max_rounds=9))
        assert finder.n_calls == 1

    def test_removing_all_at_once_finds_what_none_of_them_showed(
        self, scene: NDArray[np.uint8]
    ) -> None:
        config = LayersConfig(max_rounds=2, removal="all")
        layers = find_layers(scene, ColourFinder(), GreenInpainter(), config)
        assert {layer.whole.label for layer in layers} == {"person", "cat"}

    def test_the_sources_combination_is_what_was_seen_every_time(
        self, scene: NDArray[np.uint8]
    ) -> None:
        first = ColourFinder().find(scene)
        common = common_mask([first, first[:1]], (80, 100))
        assert (common == first[0].mask).all()
        assert not common_mask([], (3, 4)).any()
        config = LayersConfig(max_rounds=0, combination="common")
        (whole,) = find_layers(scene, ColourFinder(), GreenInpainter(), config)
        assert (whole.whole.mask == (first[0].mask | first[1].mask)).all()
        config = LayersConfig(max_rounds=1, removal="all", combination="common")
        assert not find_layers(scene, ColourFinder(), load_inpainter("telea"), config)

    def test_wrong_values_are_named(self) -> None:
        with pytest.raises(ConfigError, match="max_rounds"):
            LayersConfig(max_rounds=-1)
        with pytest.raises(ConfigError, match="removal"):
            LayersConfig(removal="some")
        with pytest.raises(ConfigError, match="combination"):
            LayersConfig(combination="or")


def test_clicks_choose_the_front_object_and_a_negative_one_what_is_behind() -> None:
    class Layered(DiskSegmenter):
        version = "layered"

    segmenter = InpaintingSegmenter(
        Layered(radius=30), GreenInpainter(), LayersConfig(max_rounds=0)
    )
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    first = segmenter.segment(image, [Click(x=50, y=50)])
    assert first.mask[50, 50]
    clicks = [*first.prompts, Click(x=95, y=5)]
    again = segmenter.segment(image, clicks, first)
    assert (again.mask == segmenter.segment(image, clicks).mask).all()
    assert again.mask[50, 50]
    assert again.mask[5, 95]
    assert segmenter.version == "layered-inpaint-green"


class TestMeasures:
    """Composites with a known truth, and VOC's classes."""

    def _objects(self) -> list[UnreadObject]:
        objects = []
        for index, colour in enumerate((_RED, _GREEN)):
            truth = np.zeros((80, 100), dtype=np.bool_)
            truth[20 + 5 * index : 60, 20:70] = True
            image = np.full((80, 100, 3), _GREY, dtype=np.uint8)
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
