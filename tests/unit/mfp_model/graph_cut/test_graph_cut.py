"""The graph cut: its seeds, its levels, and what it promises whatever is clicked."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from mfp_model.errors import CheckpointError, ConfigError, PromptError
from mfp_model.graph_cut.constants import GraphCutConfig, load_config
from mfp_model.graph_cut.cut import cut_band, cut_grid
from mfp_model.graph_cut.features import FeatureEncoder, at_positions, load_encoder
from mfp_model.graph_cut.seeds import seeds_of
from mfp_model.graph_cut.unary import Mixture
from mfp_model.loading import load_segmenter
from mfp_model.masks.rle import stroke_of
from mfp_model.prompts import Box, Click
from mfp_model.segmenters.graph_cut import GraphCutSegmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.refined import RefinedSegmenter

_SMALL = GraphCutConfig(coarse_px=32, n_refits=1)


def _cut(**changes: object) -> GraphCutSegmenter:
    values: dict[str, object] = {"coarse_px": 32, "n_refits": 1, **changes}
    return GraphCutSegmenter(GraphCutConfig(**values), None)  # type: ignore[arg-type]


def _pixel(click: Click, shape: tuple[int, ...]) -> tuple[int, int]:
    return min(int(click.y), shape[0] - 1), min(int(click.x), shape[1] - 1)


@st.composite
def _scenes(draw: st.DrawFn) -> tuple[NDArray[np.uint8], list[Click]]:
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    image = generator.integers(0, 255, (height, width, 3)).astype(np.uint8)
    if draw(st.booleans()):
        image[:] = 128  # nothing to see
    signs = draw(st.lists(st.booleans(), min_size=1, max_size=6))
    clicks = [
        Click(x=draw(st.floats(0, width)), y=draw(st.floats(0, height)), is_positive=sign)
        for sign in signs
    ]
    return image, clicks


@settings(max_examples=60, deadline=None)
@given(_scenes())
def test_no_click_gets_the_other_label(scene: tuple[NDArray[np.uint8], list[Click]]) -> None:
    image, clicks = scene
    mask = _cut().segment(image, clicks).mask
    newest = {_pixel(click, mask.shape): click.is_positive for click in clicks}
    assert mask.shape == image.shape[:2]
    for pixel, is_positive in newest.items():
        assert mask[pixel] == is_positive


def test_an_object_is_cut_out_at_its_edge(photo: NDArray[np.uint8]) -> None:
    truth = np.zeros((90, 140), dtype=np.bool_)
    truth[20:60, 30:80] = True
    mask = _cut().segment(photo, [Click(x=50, y=40)]).mask
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97


def test_the_levels_lead_to_what_one_level_finds(photo: NDArray[np.uint8]) -> None:
    clicks = [Click(x=110, y=60)]
    by_levels = _cut(coarse_px=36).segment(photo, clicks).mask
    at_once = _cut(coarse_px=140).segment(photo, clicks).mask
    assert (by_levels & at_once).sum() / (by_levels | at_once).sum() > 0.95


def test_going_on_gives_the_bytes_of_starting_over(photo: NDArray[np.uint8]) -> None:
    clicks = [Click(x=50, y=40), Click(x=10, y=10, is_positive=False), Click(x=75, y=55)]
    segmenter = _cut()
    first = segmenter.segment(photo, clicks[:1])
    later = segmenter.segment(photo, clicks, first)
    assert (later.mask == _cut().segment(photo, clicks).mask).all()
    assert later.score == 1
    assert later.n_bytes < 10_000
    assert (later.probability_map == later.mask).all()


def test_negative_clicks_alone_find_nothing(photo: NDArray[np.uint8]) -> None:
    prediction = _cut().segment(photo, [Click(x=50, y=40, is_positive=False)])
    assert not prediction.mask.any()
    assert prediction.score == 0


def test_a_stroke_is_kept_as_it_was_painted(photo: NDArray[np.uint8]) -> None:
    painted = np.zeros((90, 140), dtype=np.bool_)
    painted[5:8, 5:130] = True  # over much that does not look alike
    wanted = stroke_of(painted)
    mask = _cut().segment(photo, [wanted]).mask
    assert mask[painted].all()
    unwanted = replace(wanted, is_positive=False)
    mask = _cut().segment(photo, [unwanted, Click(x=50, y=40)]).mask
    assert not mask[painted].any()
    assert mask[40, 50]
    with pytest.raises(PromptError, match="stroke"):
        _cut().segment(photo[:50], [wanted])


def test_a_click_keeps_its_pixel_inside_the_disk_of_a_newer_one() -> None:
    clicks = [Click(x=10.5, y=10.5), Click(x=12.5, y=10.5, is_positive=False)]
    seeded = seeds_of(clicks, height=30, width=30, radius=5.0).on(30, 30)
    assert seeded[10, 10] == 1
    assert seeded[10, 12] == -1
    assert seeded[10, 14] == -1
    assert seeded[25, 25] == 0


def test_the_cheapest_labels_of_a_row_are_found() -> None:
    costs = np.array([[-5.0, -1.0, 1.0, 5.0]])
    free = np.zeros((1, 4), dtype=np.int8)
    weak, nothing = np.array([[9.0, 0.1, 9.0, 0.0]]), np.zeros((1, 4))
    assert cut_grid(costs, free, weak, nothing).tolist() == [[True, True, False, False]]
    forced = np.array([[0, 0, 1, 0]], dtype=np.int8)
    assert cut_grid(costs, forced, nothing, nothing).tolist() == [[True, True, True, False]]


def test_a_band_agrees_with_its_surroundings() -> None:
    mask = np.array([[True, False, False, False]])
    band = np.array([[False, True, True, False]])
    pairs = (np.array([1, 1, 2]), np.array([0, 2, 3]), np.array([3.0, 0.5, 1.0]))
    free = np.zeros(2, dtype=np.int8)
    cut = cut_band(mask, band, np.array([1.0, 1.0]), free, pairs)
    assert cut.tolist() == [[True, True, False, False]]
    assert cut_band(mask, np.zeros_like(band), np.zeros(0), free[:0], pairs) is mask


def test_a_seed_that_shares_its_coarse_cell_with_a_newer_one_is_kept() -> None:
    image = np.random.default_rng(0).integers(0, 255, (90, 60, 3)).astype(np.uint8)
    clicks = [Click(x=30, y=40), Click(x=31, y=40, is_positive=False)]
    mask = _cut(coarse_px=16, seed_radius=0.0).segment(image, clicks).mask
    assert mask[40, 30]
    assert not mask[40, 31]


def test_a_mixture_is_likely_where_its_samples_are() -> None:
    generator = np.random.default_rng(0)
    samples = np.concatenate(
        [generator.normal(0, 0.1, (200, 2)), generator.normal(3, 0.1, (99, 2))]
    )
    mixture = Mixture.of(samples, floor=1e-4)
    near, far = mixture.log_density(np.array([[3.0, 3.0], [1.5, 1.5]]))
    assert near > far + 10
    assert Mixture.of(np.ones((5, 3)), floor=1e-4).means.shape == (1, 3)


def test_positions_between_cells_are_interpolated() -> None:
    features = np.array([[[0.0], [1.0]], [[2.0], [3.0]]])
    y, x = np.array([0.5, 0.25, 0.0, 1.0]), np.array([0.5, 0.25, 0.0, 1.0])
    assert at_positions(features, y, x)[:, 0].tolist() == [1.5, 0.0, 0.0, 3.0]


class TestDeepFeatures:
    """Features of a network in place of colours."""

    def test_own_encoder_cuts(self, photo: NDArray[np.uint8]) -> None:
        segmenter = load_segmenter("graph-cut-deep", device="cpu")
        assert segmenter.version.startswith("graph-cut-lite2-3-")
        mask = segmenter.segment(photo, [Click(x=50, y=40)]).mask
        assert mask[40, 50]
        assert not mask.all()

    @pytest.mark.slow
    def test_imagenets_file_is_read_by_its_layout(self, tmp_path: Path) -> None:
        from torchvision.models import resnet50

        path = tmp_path / "resnet50.pth"
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(resnet50().state_dict(), path)
        encoder = load_encoder(path, torch.device("cpu"))
        features = encoder.features(
            np.random.default_rng(0).integers(0, 255, (40, 64, 3), np.uint8)
        )
        assert features.shape == (40, 64, 12)  # an eighth of 320 x 512
        assert features.var(axis=(0, 1)).sum() <= 1.01
        assert encoder.version == "resnet50"

    def test_other_files_are_refused(self, tmp_path: Path) -> None:

        torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
        with pytest.raises(CheckpointError, match="ResNet-50"):
            load_encoder(tmp_path / "other.pth", torch.device("cpu"))
        with pytest.raises(CheckpointError, match="no such file"):
            load_encoder(tmp_path / "missing.safetensors", torch.device("cpu"))

    def test_an_image_is_looked_at_once(self, photo: NDArray[np.uint8]) -> None:
        class Counting(nn.Module):
            n_seen = 0

            def forward(self, image: Tensor) -> Tensor:
                self.n_seen += 1
                return nn.functional.avg_pool2d(image, 8)

        network = Counting()
        encoder = FeatureEncoder(network, version="counting", device=torch.device("cpu"))
        segmenter = GraphCutSegmenter(_SMALL, encoder)
        for x in (40, 50, 60):
            segmenter.segment(photo, [Click(x=x, y=40)])
        assert network.n_seen == 1
        segmenter.segment(photo[::-1], [Click(x=50, y=40)])
        assert network.n_seen == 2


def test_refinement_keeps_clicks_and_goes_on_from_the_networks_map(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    segmenter = RefinedSegmenter(tiny_segmenter)
    clicks = [Click(x=50, y=40), Click(x=55, y=40, is_positive=False)]
    first = segmenter.segment(photo, clicks[:1])
    second = segmenter.segment(photo, clicks, first)
    assert (second.mask == segmenter.segment(photo, clicks).mask).all()
    assert second.mask[40, 50]
    assert not second.mask[40, 55]
    inner = tiny_segmenter.segment(photo, clicks)
    assert (second.probability_map == inner.probability_map).all()
    assert segmenter.version == f"{tiny_segmenter.version}-refined"


def test_the_answer_to_a_box_is_refined_before_there_is_a_click(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    segmenter, box = RefinedSegmenter(tiny_segmenter), Box(left=28, top=18, right=82, bottom=62)
    assert Box in segmenter.prompt_kinds
    boxed = segmenter.segment(photo, [box])
    assert boxed.mask.shape == (90, 140)
    clicked = segmenter.segment(photo, [box, Click(x=35, y=25)], boxed)
    assert clicked.mask[25, 35]
    assert (clicked.mask == segmenter.segment(photo, [box, Click(x=35, y=25)]).mask).all()


def test_constants_are_read_from_a_file_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "rgb.json"
    path.write_text(json.dumps({"config": {"smoothness": 3.0}}))
    assert load_config(path).smoothness == 3
    segmenter = load_segmenter("graph-cut", constants=path)
    assert segmenter.version != load_segmenter("graph-cut").version
    with pytest.raises(ConfigError, match="rgb features"):
        load_segmenter("graph-cut-deep", constants=path)
    with pytest.raises(ConfigError, match="no use"):
        load_segmenter("mfp", constants=path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="tune-graph-cut"):
        load_config(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"features": "x"}, "one of"),
        ({"smoothness": -1.0}, "a number, 0..1000000"),
        ({"way_weight": "2"}, "a number, 0..1000000"),
        ({"seed_radius": 1.0}, r"a number, 0..0\.2"),
        ({"band_px": 0}, "a whole number, 1..64"),
        ({"n_refits": 3.0}, "a whole number, 0..20"),
        ({"coarse_px": None}, "a whole number, 16..1024"),
    ],
)
def test_constants_that_cannot_be_used_are_named(change: dict[str, Any], expected: str) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=f"^{name}=.*: expected {expected}"):
        GraphCutConfig(**change)


def test_without_its_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, photo: NDArray[np.uint8]
) -> None:
    monkeypatch.setitem(sys.modules, "maxflow", None)
    with pytest.raises(ConfigError, match=r"\[graph-cut\]"):
        _cut().segment(photo, [Click(x=50, y=40)])
