"""Checkpoints in the published layout -> ours, name by name, nothing left over on either side.

Only tensors and plain containers are read: a pickle that names any class is refused, and none
that it names is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from mfp_model.checkpoints.checkpoint import Checkpoint, build_network
from mfp_model.checkpoints.pickles import read_tensors
from mfp_model.checkpoints.published_efficientnet import folded_encoder
from mfp_model.checkpoints.published_layout import LAYOUTS, Layout
from mfp_model.checkpoints.tensors import check_tensors
from mfp_model.errors import CheckpointError
from mfp_model.names import UNET
from mfp_model.networks.backbones import ARCHITECTURES
from mfp_model.networks.backbones.vit import GRID
from mfp_model.networks.network import MfpNetwork, NetworkConfig, default_input_size

# What a published name has before a file's own, and which of the file's tensors have no use.
_PRETRAINED: dict[str, tuple[str, str]] = {
    "resnet34": ("feature_extractor.backbone.", r"feature_extractor\.backbone\.fc\."),
    "hrnet18": (
        "feature_extractor.",
        r"feature_extractor\.(incre_modules|downsamp_modules|final_layer|classifier)\.",
    ),
    "vit_b": ("backbone.", r"backbone\.norm\."),
}


def load_published(path: Path) -> Checkpoint:
    """Return a checkpoint in the published layout as one of ours.

    The network is told from the names: ViT-B, HRNet-18 + OCR or ResNet-34 + DeepLabV3+.

    Args:
        path: A pickle of `{"state_dict": {name: tensor}, ...}`, or of the state dict alone.

    Raises:
        CheckpointError: The file is missing or damaged, names classes, is of no known layout,
            or has a tensor missing, left over or of another shape.
    """
    weights = read_tensors(path)
    backbones = [name for name, layout in LAYOUTS.items() if layout.sign in weights]
    if not backbones:
        signs = ", ".join(layout.sign for layout in LAYOUTS.values())
        raise CheckpointError(f"{path}: no published layout; expected one of the tensors {signs}")
    backbone, layout = backbones[0], LAYOUTS[backbones[0]]
    config = NetworkConfig(backbone=backbone, input_size=ARCHITECTURES[backbone].input_size)
    renamed = _renamed(weights, layout, path)
    _check_shapes(renamed, config, path)
    origin = {"converted_from": path.name, "layout": f"published {backbone}"}
    return Checkpoint(version=f"mfp-{backbone}", config=config, weights=renamed, origin=origin)


def load_backbone(backbone: str, path: Path) -> Checkpoint:
    """Return a network to train from: its backbone from a file of ImageNet or MAE weights.

    Args:
        backbone: `lite2` for the file of EfficientNet-Lite2, `resnet34` and `resnet34_unet` for
            torchvision's, `hrnet18` for timm's, `vit_b` for MAE's.
        path: A pickle of `{name: tensor}`, or of that under `model` or `state_dict`.

    Raises:
        CheckpointError: Another backbone, a file that cannot be read, or one whose tensors are
            not that backbone's.
    """
    if backbone == UNET:
        return _unet_with_encoder(path)
    if backbone == "lite2":
        return _initialised(backbone, folded_encoder(read_tensors(path), path), path)
    if backbone not in _PRETRAINED:
        names = ", ".join(("lite2", *_PRETRAINED))
        raise CheckpointError(f"backbone {backbone!r}: pretrained files are read for {names}")
    prefix, unused = _PRETRAINED[backbone]
    layout = replace(LAYOUTS[backbone], unused=(*LAYOUTS[backbone].unused, unused))
    tensors = {prefix + name: tensor for name, tensor in read_tensors(path).items()}
    renamed = _renamed(tensors, layout, path)
    if "backbone.positions" in renamed:
        renamed["backbone.positions"] = _resized_positions(renamed["backbone.positions"])
    return _initialised(backbone, renamed, path)


def _initialised(backbone: str, pretrained: Mapping[str, Tensor], path: Path) -> Checkpoint:
    """The backbone's network with these tensors; the others start from random."""
    config = NetworkConfig(backbone=backbone, input_size=ARCHITECTURES[backbone].input_size)
    fresh = MfpNetwork(config).state_dict()
    weights = {**fresh, **pretrained}
    _check_shapes(weights, config, path)
    n_loaded = len(pretrained)
    if n_loaded < len(fresh) // 3:
        raise CheckpointError(f"{path}: {n_loaded} tensors of {backbone}, expected its backbone")
    origin = {"initialised_from": path.name, "tensors": n_loaded}
    return Checkpoint(
        version=f"{backbone}-initialised", config=config, weights=weights, origin=origin
    )


def _unet_with_encoder(path: Path) -> Checkpoint:
    """A U-Net to train from: all of torchvision's ResNet-34 but the classifier.

    The first convolution keeps its three image channels; the click maps' two start from random.
    """
    tensors = {n: x for n, x in read_tensors(path).items() if not n.startswith("fc.")}
    config = NetworkConfig(backbone=UNET, input_size=default_input_size(UNET))
    fresh = build_network(config).state_dict()
    first = fresh["conv1.weight"].clone()
    if tensors.get("conv1.weight", first[:0]).shape != first[:, :3].shape:
        raise CheckpointError(f"{path}: expected torchvision's ResNet-34")
    first[:, :3] = tensors.pop("conv1.weight")
    weights = {**fresh, **tensors, "conv1.weight": first}
    wrong = [n for n in weights if n not in fresh or weights[n].shape != fresh[n].shape]
    encoder = [n for n in fresh if n.startswith(("bn1.", "layer")) and n not in tensors]
    if wrong or encoder:
        raise CheckpointError(f"{path}: left over {wrong[:3]}, missing {encoder[:3]}")
    origin = {"initialised_from": path.name, "tensors": len(tensors) + 1}
    version = f"{UNET}-initialised"
    return Checkpoint(version=version, config=config, weights=weights, origin=origin)


def _resized_positions(positions: Tensor) -> Tensor:
    """Learned for another grid of patches, `[1, N, C]`, as for the one that ours are for."""
    side = int(positions.shape[1] ** 0.5)
    grid = positions.view(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (GRID, GRID), mode="bicubic", align_corners=False)
    return grid.flatten(2).transpose(1, 2).contiguous()


def _renamed(weights: Mapping[str, Tensor], layout: Layout, path: Path) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in weights.items():
        if layout.is_unused(name):
            continue
        ours = layout.our_name(name)
        if ours is None:
            unknown.append(name)
        else:
            renamed[ours] = tensor
    if unknown:
        raise CheckpointError(f"{path}: {len(unknown)} unknown tensors, first {unknown[:3]}")
    positions = renamed.get("backbone.positions")
    if positions is not None:  # the first is the class token's, which patches never see
        renamed["backbone.positions"] = positions[:, 1:]
    return renamed


def _check_shapes(weights: Mapping[str, Tensor], config: NetworkConfig, path: Path) -> None:
    try:
        check_tensors(weights, MfpNetwork(config).state_dict())
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
