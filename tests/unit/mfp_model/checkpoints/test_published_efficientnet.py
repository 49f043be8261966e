from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mfp_model.checkpoints.published import load_backbone
from mfp_model.errors import CheckpointError
from mfp_model.networks.backbones.efficientnet_lite import STAGES

_EPSILON = 1e-3


def _published() -> dict[str, Tensor]:
    """Random tensors under the published names."""
    random = torch.Generator().manual_seed(5)
    weights: dict[str, Tensor] = {}
    for convolution, norm, shape in _layers():
        weights[f"{convolution}.weight"] = torch.randn(shape, generator=random) * 0.1
        for name, scale, start in (
            ("weight", 0.1, 1.0),
            ("bias", 0.1, 0.0),
            ("running_mean", 0.1, 0.0),
            ("running_var", 0.0, 0.9),
        ):
            weights[f"{norm}.{name}"] = start + scale * torch.randn(shape[0], generator=random)
        weights[f"{norm}.num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    weights["_fc.weight"] = torch.zeros(1000, 1280)
    return weights


def _layers() -> Iterator[tuple[str, str, tuple[int, int, int, int]]]:
    yield "_conv_stem", "_bn0", (32, 3, 3, 3)
    n_in, index = 32, 0
    for n_blocks, kernel, _, expansion, n_out in STAGES:
        for _ in range(n_blocks):
            n_inner, block = n_in * expansion, f"_blocks.{index}"
            if expansion > 1:
                yield f"{block}._expand_conv", f"{block}._bn0", (n_inner, n_in, 1, 1)
            yield f"{block}._depthwise_conv", f"{block}._bn1", (n_inner, 1, kernel, kernel)
            yield f"{block}._project_conv", f"{block}._bn2", (n_out, n_inner, 1, 1)
            n_in, index = n_out, index + 1


def test_a_folded_convolution_answers_as_convolution_and_norm(tmp_path: Path) -> None:
    published = _published()
    path = tmp_path / "lite2.pth"
    torch.save(published, path)
    checkpoint = load_backbone("lite2", path)
    ours = checkpoint.network().backbone.stages[1][0].depthwise.eval()  # type: ignore[index]
    features = torch.randn(2, 96, 8, 8, generator=torch.Generator().manual_seed(1))
    theirs = F.conv2d(
        features, published["_blocks.1._depthwise_conv.weight"], stride=2, padding=1, groups=96
    )
    names = ("running_mean", "running_var", "weight", "bias")
    norm = [published[f"_blocks.1._bn1.{name}"] for name in names]
    expected = F.batch_norm(theirs, *norm, eps=_EPSILON)
    torch.testing.assert_close(ours(features), expected, atol=1e-5, rtol=1e-4)
    assert checkpoint.origin == {"initialised_from": "lite2.pth", "tensors": 2 * 63}


def test_another_network_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(CheckpointError, match="expected an EfficientNet-Lite2"):
        load_backbone("lite2", path)
    wider = _published() | {"_conv_stem.weight": torch.zeros(40, 3, 3, 3)}
    torch.save(wider, path)
    with pytest.raises(CheckpointError, match="expected"):
        load_backbone("lite2", path)
