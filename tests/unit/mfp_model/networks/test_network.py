import pytest
import torch

from mfp_model.errors import ConfigError
from mfp_model.networks.click_map import click_tensor, draw_click_maps
from mfp_model.networks.network import (
    MfpNetwork,
    NetworkConfig,
    first_pass,
    modulated_pass,
    run_round,
)


@pytest.fixture(scope="module")
def network() -> MfpNetwork:
    torch.manual_seed(0)
    return MfpNetwork(NetworkConfig(input_size=64)).eval()


def test_has_at_most_six_million_parameters(network: MfpNetwork) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) <= 6e6


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 32)])
def test_logits_have_the_inputs_size(network: MfpNetwork, height: int, width: int) -> None:
    maps = torch.zeros(2, 2, height, width)
    with torch.no_grad():
        answer = network(torch.rand(2, 3, height, width), maps, maps)
    assert answer.logits.shape == (2, height, width)
    assert answer.iou_logits.shape == (2,)


def test_a_batch_that_mixes_first_and_later_rounds_equals_each_sample_alone(
    network: MfpNetwork,
) -> None:
    image = torch.rand(3, 3, 64, 64)
    previous = torch.rand(3, 64, 64)
    previous[1] = 0
    clicks = click_tensor([[(5, 5, True)], [(30, 20, True)], [(9, 9, True), (40, 40, False)]])
    with torch.no_grad():
        batch = run_round(network, image, previous, clicks)
        for i in range(3):
            alone = run_round(network, image[i : i + 1], previous[i : i + 1], clicks[i : i + 1])
            torch.testing.assert_close(batch.logits[i], alone.logits[0], atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_parameter() -> None:
    network = MfpNetwork(NetworkConfig()).train()
    image = torch.rand(2, 3, 64, 64)
    clicks = click_tensor([[(30.0, 30.0, True)], [(20.0, 40.0, True)]])
    click_maps = draw_click_maps(clicks, height=64, width=64)
    previous = first_pass(network, image, click_maps).logits.sigmoid()
    logits, iou_logits = modulated_pass(network, image, previous, clicks, click_maps)
    (logits.square().mean() + iou_logits.square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    assert network.backbone.guidance[0].weight.grad.abs().sum() > 0


def test_a_wrong_config_is_refused() -> None:
    with pytest.raises(ConfigError, match="backbone"):
        NetworkConfig(backbone="enormous")
    with pytest.raises(ConfigError, match="input_size"):
        NetworkConfig(input_size=100)
