"""Filling a region of a picture, by one contract."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.errors import CheckpointError, ImageError, reason_of
from mfp_model.networks.image_input import image_tensor
from mfp_model.segmenter import check_image

_WORK_PX = 512  # long side at which holes are filled: nobody sees more of what was never there
_RADIUS_PX = 5
_MAT_PX = 512
_MAT_NOISE = 512

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Inpainter(ABC):
    """An image and a region -> the image with the region filled; nothing else changes."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What answers name it by."""

    @abstractmethod
    def filled(self, image: Image, hole: Mask) -> Image:
        """Return a filled copy of a small image; the hole is neither empty nor everything."""

    def inpaint(self, image: Image, hole: Mask) -> Image:
        """Return the image with the hole filled, outside it byte by byte the same.

        Args:
            image: RGB uint8 `[H, W, 3]`.
            hole: What to fill, bool `[H, W]`. Where all is hole there is nothing to fill it
                from, and the image comes back as it is.

        Raises:
            ImageError: The image has another form, or the hole another size.
        """
        check_image(image)
        if hole.shape != image.shape[:2]:
            raise ImageError(f"hole {list(hole.shape)}: expected the image's {image.shape[:2]}")
        if hole.all() or not hole.any():
            return image
        height, width = hole.shape
        scale = min(1.0, _WORK_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        covered = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        if covered.all():
            return image
        filled = cv2.resize(self.filled(small, covered), (width, height))
        return np.where(hole[..., None], filled, image).astype(np.uint8)


class OpenCvInpainter(Inpainter):
    """OpenCV's: colours grow inwards from the hole's edge.

    Source: Telea, "An Image Inpainting Technique Based on the Fast Marching Method" (2004);
    Bertalmio et al., "Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting" (2001).
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._method = cv2.INPAINT_TELEA if name == "telea" else cv2.INPAINT_NS

    @property
    def version(self) -> str:
        """The method's name."""
        return self._name

    def filled(self, image: Image, hole: Mask) -> Image:
        """Return a filled copy, see `Inpainter.filled`."""
        pixels = cv2.inpaint(image, hole.astype(np.uint8), _RADIUS_PX, self._method)
        return np.asarray(pixels, dtype=np.uint8)


class _ScriptInpainter(Inpainter):
    """One whose network is a TorchScript file."""

    _name: str

    def __init__(self, path: Path, device: torch.device) -> None:
        self._path = path
        self._device = device
        self._network = _script(path, device)

    @property
    def version(self) -> str:
        """Its name and the file's."""
        return f"{self._name}-{self._path.stem}"


class LamaInpainter(_ScriptInpainter):
    """LaMa as a TorchScript file: image and hole in, image out, both 0..1.

    Source: Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions"
    (WACV 2022).
    """

    _name = "lama"

    def filled(self, image: Image, hole: Mask) -> Image:
        """Return a filled copy, see `Inpainter.filled`."""
        height, width = hole.shape
        below, right = -height % 8, -width % 8
        padding = ((0, below), (0, right))
        pixels = np.pad(image, (*padding, (0, 0)), mode="symmetric")
        covered = torch.from_numpy(np.pad(hole, padding, mode="symmetric"))
        with torch.inference_mode():
            output = self._network(
                image_tensor(pixels, self._device),
                covered[None, None].float().to(self._device),
            )
        return _as_image(output.clamp(0, 1) * 255)[:height, :width]


class MatInpainter(_ScriptInpainter):
    """MAT as a TorchScript file: image in -1..1, 1 where it is known, noise, no class.

    Source: Li et al., "MAT: Mask-Aware Transformer for Large Hole Image Inpainting" (CVPR 2022);
    its noise is fixed here, so that an answer can be had again.
    """

    _name = "mat"

    def filled(self, image: Image, hole: Mask) -> Image:
        """Return a filled copy, see `Inpainter.filled`."""
        height, width = hole.shape
        size = (_MAT_PX, _MAT_PX)
        pixels = torch.from_numpy(cv2.resize(image, size)).permute(2, 0, 1)[None]
        covered = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        is_kept = torch.from_numpy(~covered)[None, None].float()
        noise = torch.randn(1, _MAT_NOISE, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            output = self._network(
                pixels.float().div(127.5).sub(1).to(self._device),
                is_kept.to(self._device),
                noise.to(self._device),
                torch.zeros(1, 0, device=self._device),
            )
        return np.asarray(cv2.resize(_as_image((output + 1) * 127.5), (width, height)), np.uint8)


def _script(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():  # deprecated, but it is what LaMa is published as
            warnings.simplefilter("ignore", FutureWarning)
            script: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location=device
            )
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a TorchScript file ({reason_of(error)})") from None
    return script.eval()


def _as_image(values: Tensor) -> Image:
    rounded = values[0].clamp(0, 255).round().to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(1, 2, 0).cpu().numpy())
