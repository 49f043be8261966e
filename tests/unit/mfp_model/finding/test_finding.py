"""Segment and inpaint: inpainters, finders and layers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfp_model.errors import CheckpointError, ConfigError, ImageError
from mfp_model.finding.finders import (
    VOC_CLASSES,
    ClickFinder,
    DeepLabFinder,
    FoundObject,
    Mask,
)
from mfp_model.finding.layers import LayersConfig, common_mask, find_layers
from mfp_model.loading import load_finder, load_inpainter
from mfp_model.names import INPAINTERS
from mfp_model.prompts import Click
from mfp_model.segmenters.segment_and_inpaint import InpaintingSegmenter
from tests.fakes import DiskSegmenter
from tests.unit.mfp_model.drawn_scene import GREY, ColourFinder, GreenInpainter, drawn_scene


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    return drawn_scene()


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
        empty = np.full((40, 40, 3), GREY, dtype=np.uint8)
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
