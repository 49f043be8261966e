"""The published networks: their layout loads strictly, and the logits are theirs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.cli import main
from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.checkpoints.parity import parity
from mfp_model.checkpoints.published import load_backbone, load_published
from mfp_model.errors import CheckpointError, DataError
from mfp_model.segmenters.mfp import MfpSegmenter
from tests.published_weights import GAINS, PARITY, published_weights

_N_PARAMETERS = {"resnet34": 23.51e6, "hrnet18": 10.51e6}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("published")
    paths = {backbone: folder / f"{backbone}.pth" for backbone in GAINS}
    for backbone, path in paths.items():
        content = {"state_dict": published_weights(backbone), "config": {"class": "a.b.C"}}
        torch.save(content, path)
    return paths


@pytest.mark.parametrize("backbone", list(GAINS))
def test_logits_equal_the_published_ones_in_both_kinds_of_round(
    backbone: str, published: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = PARITY / f"forward_{backbone}.npz"
    arguments = ["weights", "check", "--published", str(published[backbone])]
    arguments += ["--vectors", str(vectors), "--json"]
    assert main(arguments) == 0
    differences = json.loads(capsys.readouterr().out)
    assert set(differences) == {"round", "first_round"}
    assert max(differences.values()) < 1e-4


@pytest.mark.parametrize("backbone", list(_N_PARAMETERS))
def test_parameters_are_as_many_as_published(backbone: str, published: dict[str, Path]) -> None:
    network = load_published(published[backbone]).network()
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert n_parameters == pytest.approx(_N_PARAMETERS[backbone], rel=0.002)


def test_a_converted_file_segments(published: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "converted.safetensors"
    assert main(["weights", "convert", str(published["hrnet18"]), "--out", str(out)]) == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.config.backbone == "hrnet18"
    image = np.zeros((50, 70, 3), np.uint8)
    from mfp_model.prompts import Click

    segmenter = MfpSegmenter(checkpoint, device="cpu", engine="pytorch")
    assert segmenter.segment(image, [Click(x=20, y=20)]).mask.shape == (50, 70)


def test_positions_of_vit_interpolate_for_other_sizes(published: dict[str, Path]) -> None:
    network = load_published(published["vit_b"]).network()
    maps = torch.zeros(1, 2, 96, 64)
    with torch.inference_mode():
        logits = network(torch.rand(1, 3, 96, 64), maps, maps).logits
    assert logits.shape == (1, 96, 64)
    assert bool(torch.isfinite(logits).all())


def test_padding_of_windows_changes_no_token(published: dict[str, Path]) -> None:
    """A grid of 15x15 pads to 28x28: what the padding holds must not matter."""
    from mfp_model.networks.backbones.vit import VitBackbone, _attend

    backbone = VitBackbone().eval()
    tokens = torch.rand(1, 15, 15, 768)
    with torch.inference_mode():
        expected = _attend(backbone.blocks[0], tokens, in_windows=True)
        corner = backbone.blocks[0](tokens[:, 14:, 14:].flatten(1, 2), None)
    torch.testing.assert_close(expected[:, 14, 14], corner[:, 0], atol=1e-5, rtol=1e-5)


class _Forbidden:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def test_a_pickle_that_names_a_class_or_function_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": {}, "config": _Forbidden()}, tmp_path / "evil.pth")
    assert (
        main(["weights", "convert", str(tmp_path / "evil.pth"), "--out", str(tmp_path / "o")]) == 1
    )
    captured = capsys.readouterr()
    assert "plain containers" in captured.err
    assert "executed" not in captured.out
    assert not (tmp_path / "o").exists()


def test_tensors_missing_left_over_or_of_another_shape_are_named(tmp_path: Path) -> None:
    weights = published_weights("resnet34")
    cases = {
        "head.layers.2.bias": (weights | {"head.layers.2.bias": torch.zeros(2)}, "expected"),
        "surplus": (weights | {"surplus.weight": torch.zeros(1)}, "unknown tensors"),
        "missing": ({k: v for k, v in weights.items() if k != "head.layers.2.bias"}, "missing"),
        "unlike": ({"other": torch.zeros(1)}, "no published layout"),
    }
    for name, (content, message) in cases.items():
        torch.save({"state_dict": content}, tmp_path / f"{name}.pth")
        with pytest.raises(CheckpointError, match=message):
            load_published(tmp_path / f"{name}.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        load_published(tmp_path / "nowhere.pth")


def test_vectors_that_are_incomplete_are_refused(
    published: dict[str, Path], tmp_path: Path
) -> None:
    np.savez(tmp_path / "v.npz", image=np.zeros((3, 32, 32), np.float32))
    content = (tmp_path / "v.npz").read_bytes()
    for cut in (content, content[:100], b""):
        (tmp_path / "v.npz").write_bytes(cut)
        with pytest.raises(DataError, match="expected an npz file"):
            parity(published["resnet34"], tmp_path / "v.npz")


_FILES = {  # what torchvision, timm and MAE call the tensors of the published backbone
    "resnet34": ("feature_extractor.backbone.", {"fc.weight": (10, 512), "fc.bias": (10,)}),
    "hrnet18": ("feature_extractor.", {"classifier.weight": (10, 2048)}),
    "vit_b": ("backbone.", {"norm.weight": (768,), "norm.bias": (768,)}),
}


@pytest.mark.parametrize("backbone", list(_FILES))
def test_backbones_begin_with_files_of_torchvision_timm_and_mae(
    backbone: str, tmp_path: Path
) -> None:
    prefix, own = _FILES[backbone]
    heads = ("cls_head", "aux_head", "conv3x3_ocr", "ocr_", "head.", "fc_norm.")
    content = {
        name.removeprefix(prefix): tensor
        for name, tensor in published_weights(backbone).items()
        if name.startswith(prefix) and not name.removeprefix(prefix).startswith(heads)
    }
    content |= {name: torch.zeros(shape) for name, shape in own.items()}
    if backbone == "vit_b":
        content["pos_embed"] = torch.rand(1, 14 * 14 + 1, 768)
    torch.save({"model": content}, tmp_path / "w.pth")
    checkpoint = load_backbone(backbone, tmp_path / "w.pth")
    checkpoint.network()
    name = "backbone.blocks.0.norm1.weight" if backbone == "vit_b" else "backbone.conv1.weight"
    theirs = content[name.removeprefix("backbone.")]
    assert torch.equal(checkpoint.weights[name], theirs)
    torch.save({"bn1.weight": torch.zeros(64)}, tmp_path / "little.pth")
    with pytest.raises(CheckpointError, match=r"tensors|unknown"):
        load_backbone(backbone, tmp_path / "little.pth")
