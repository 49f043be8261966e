"""Images as networks take them: numbers of 0..1, and those by the mean and spread of ImageNet's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def image_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return an image RGB uint8 `[H, W, 3]` as float32 `[1, 3, H, W]` in 0..1 on a device."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    return pixels.permute(2, 0, 1)[None].float().div(255)


def normalised_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return `image_tensor`, normalised as for networks that learned from ImageNet."""
    mean, std = (
        torch.tensor(x, dtype=torch.float32, device=device)[:, None, None]
        for x in (IMAGE_MEAN, IMAGE_STD)
    )
    return normalised(image_tensor(image, device), mean, std)


def normalised(image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return an image of 0..1 with the mean 0 and the deviation 1 of ImageNet's."""
    return (image - mean) / std
