"""What pixels are compared by: their colours, or a network's features around them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.checkpoints.pickles import read_tensors
from mfp_model.errors import CheckpointError, reason_of
from mfp_model.image_cache import ImageCache
from mfp_model.networks.image_input import normalised_tensor
from mfp_model.networks.network import MfpNetwork
from mfp_model.weights import DEFAULT_WEIGHTS

_LONG_SIDE_PX = 512
_STRIDE = 32
_N_COMPONENTS = 12
_MAX_KEPT = 64  # images, of 1.6 MB at most each


class FeatureEncoder:
    """A network's features of a whole image, reduced to those that tell most about it.

    Those of the newest images are kept.

    Attributes:
        version: Of its weights.
        n_bytes: What they hold in memory.
    """

    def __init__(self, encoder: nn.Module, *, version: str, device: torch.device) -> None:
        self._encoder = encoder.eval().to(device)
        self._device = device
        self._kept: ImageCache[NDArray[np.float64]] = ImageCache(max_images=_MAX_KEPT)
        self.version = version
        self.n_bytes = sum(weight.nbytes for weight in encoder.parameters())

    def features(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return features float64 `[h, w, 12]` of an RGB image uint8 `[H, W, 3]`.

        Every position's features are scaled to length 1 and projected on the image's own
        principal components; their variances add up to 1.
        """
        return self._kept.get(image, lambda: self._computed(image))

    def _computed(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        height, width = image.shape[:2]
        scale = _LONG_SIDE_PX / max(height, width)
        size = [max(1, round(side * scale / _STRIDE)) * _STRIDE for side in (width, height)]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
        inputs = normalised_tensor(small, self._device)
        with torch.inference_mode():
            features = F.normalize(self._encoder(inputs)[0].float(), dim=0)
        return _principal(features.permute(1, 2, 0).cpu().numpy().astype(np.float64))


def load_encoder(path: Path | None, device: torch.device) -> FeatureEncoder:
    """Return the encoder of a file: ImageNet's ResNet-50, or the backbone of our own checkpoints.

    Args:
        path: torchvision's pickle of ResNet-50, without pooling and classifier then, or a
            checkpoint of an MFP network; the shipped one by default.
        device: Where it runs.

    Raises:
        CheckpointError: The file cannot be read or is neither.
    """
    if path is not None and path.suffix in (".pth", ".pt"):
        return FeatureEncoder(_resnet50(path), version=path.stem, device=device)
    checkpoint = load_checkpoint(path or DEFAULT_WEIGHTS)
    network = checkpoint.network()
    if not isinstance(network, MfpNetwork):
        raise CheckpointError(f"{path}: has no backbone to take features from")
    encoder = _OwnEncoder(network.backbone)
    return FeatureEncoder(encoder, version=checkpoint.identity, device=device)


class _OwnEncoder(nn.Module):
    """A backbone of ours that is shown neither clicks nor maps."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> Tensor:
        nothing = image.new_zeros(image.shape[0], 4, *image.shape[2:])
        features: Tensor = self.backbone(image, nothing)
        return features


def _resnet50(path: Path) -> nn.Module:
    """Its last two stages dilated instead of strided: features at 1/8 with the same weights."""
    from torchvision.models import resnet50

    network = resnet50(replace_stride_with_dilation=[False, True, True])
    try:
        network.load_state_dict(read_tensors(path))
    except (CheckpointError, RuntimeError) as error:
        reason = reason_of(error)
        raise CheckpointError(f"{path}: expected torchvision's ResNet-50 ({reason})") from None
    return nn.Sequential(*list(network.children())[:-2])


def _principal(features: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = features.reshape(-1, features.shape[2])
    centred = flat - flat.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    strongest = vectors[:, ::-1][:, :_N_COMPONENTS]
    # An eigenvector's sign is arbitrary: the largest entry decides it.
    signs = np.sign(strongest[np.abs(strongest).argmax(axis=0), np.arange(strongest.shape[1])])
    reduced = centred @ (strongest * signs)
    reduced /= np.sqrt(max(1e-12, float(values.sum())))
    return np.asarray(reduced.reshape(*features.shape[:2], -1))


def at_positions(
    features: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return features `[n, D]`, bilinear between the cells of a map `[h, w, D]`.

    Args:
        features: The map.
        y: Positions `[n]` in 0..1 from the map's top edge to its bottom edge.
        x: Positions `[n]` in 0..1 from its left edge to its right edge.
    """
    height, width = features.shape[:2]
    rows = np.clip(y * height - 0.5, 0, height - 1)
    columns = np.clip(x * width - 0.5, 0, width - 1)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, over = (rows - top)[:, None], (columns - left)[:, None]
    upper = features[top, left] * (1 - over) + features[top, right] * over
    lower = features[bottom, left] * (1 - over) + features[bottom, right] * over
    return np.asarray(upper * (1 - down) + lower * down)
