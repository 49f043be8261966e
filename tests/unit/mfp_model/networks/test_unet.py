from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.models import resnet34

from mfp_model.checkpoints.checkpoint import Checkpoint, build_network, save_checkpoint
from mfp_model.checkpoints.published import load_backbone
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.loading import load_segmenter
from mfp_model.names import UNET
from mfp_model.networks.network import NetworkConfig, run_round
from mfp_model.networks.unet import MFPResNetUNet
from mfp_model.prompts import Click

_CONFIG = NetworkConfig(backbone=UNET, input_size=64)


@pytest.fixture(scope="module")
def network() -> MFPResNetUNet:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return MFPResNetUNet(_CONFIG).eval()


def test_has_the_parameters_of_a_resnet_34_and_a_small_decoder(network: MFPResNetUNet) -> None:
    assert 22e6 < sum(parameter.numel() for parameter in network.parameters()) < 27e6
    assert network.conv1.in_channels == 5


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96)])
def test_logits_have_the_inputs_size(network: MFPResNetUNet, height: int, width: int) -> None:
    maps = torch.zeros(2, 2, height, width)
    assert network(torch.rand(2, 3, height, width), maps, maps).logits.shape == (2, height, width)


def test_previous_maps_make_no_difference_and_clicks_do(network: MFPResNetUNet) -> None:
    image, clicks = torch.rand(1, 3, 64, 64), torch.tensor([[[20.0, 30.0, 1.0]]])
    with torch.no_grad():
        first = run_round(network, image, torch.zeros(1, 64, 64), clicks)
        second = run_round(network, image, torch.rand(1, 64, 64), clicks)
        elsewhere = run_round(network, image, torch.zeros(1, 64, 64), clicks + 20)
    assert torch.equal(first.logits, second.logits)
    assert not torch.allclose(first.logits, elsewhere.logits)


def test_gradients_reach_the_click_channels(network: MFPResNetUNet) -> None:
    click_maps = torch.zeros(1, 2, 64, 64, requires_grad=True)
    network(torch.rand(1, 3, 64, 64), torch.zeros(1, 2, 64, 64), click_maps).logits.sum().backward()
    assert click_maps.grad is not None
    assert float(click_maps.grad.abs().sum()) > 0


@pytest.mark.slow
def test_is_a_segmenter_like_the_others(
    network: MFPResNetUNet, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    checkpoint = Checkpoint(version="u-1", config=_CONFIG, weights=network.state_dict())
    save_checkpoint(checkpoint, tmp_path / "u.safetensors", bits=8)
    segmenter = load_segmenter("unet", checkpoint=tmp_path / "u.safetensors", device="cpu")
    clicks = [Click(x=50, y=40), Click(x=5, y=5, is_positive=False)]
    first = segmenter.segment(photo, clicks[:1])
    again = segmenter.segment(photo, clicks, first)
    assert (again.mask == segmenter.segment(photo, clicks).mask).all()
    with pytest.raises(ConfigError, match="resnet34_unet"):
        load_segmenter("mfp", checkpoint=tmp_path / "u.safetensors", device="cpu")


def test_without_weights_the_command_that_makes_them_is_named() -> None:
    with pytest.raises(ConfigError, match="mfp train --preset unet"):
        load_segmenter("unet", device="cpu")


def test_networks_are_built_by_name() -> None:
    assert isinstance(build_network(_CONFIG), MFPResNetUNet)
    with pytest.raises(ConfigError, match="resnet34_unet"):
        NetworkConfig(backbone="unet")


def test_imagenets_resnet_34_becomes_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "resnet34.pth"
    with torch.random.fork_rng():
        published = resnet34().state_dict()
    torch.save(published, path)
    weights = load_backbone(UNET, path).network().state_dict()
    assert torch.equal(weights["conv1.weight"][:, :3], published["conv1.weight"])
    assert torch.equal(weights["layer4.2.conv2.weight"], published["layer4.2.conv2.weight"])
    assert torch.equal(
        weights["layer2.0.downsample.0.weight"], published["layer2.0.downsample.0.weight"]
    )
    del published["layer1.0.conv1.weight"]
    torch.save(published, path)
    with pytest.raises(CheckpointError, match=r"layer1\.0\.conv1"):
        load_backbone(UNET, path)
    torch.save({"conv1.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(CheckpointError, match="ResNet-34"):
        load_backbone(UNET, path)
