"""ViT-B with a simple feature pyramid, as the published MFP-ViT-B: features `[B, 256, H/4, W/4]`.

Source: Li et al., "Exploring Plain Vision Transformer Backbones" (ECCV 2022), as SimpleClick and
MFP use it; 448x448 inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WIDTH = 768
_N_HEADS = 12
_N_BLOCKS = 12
_PATCH = 16
GRID = 28  # patches along a side of the input that the positions were learned for
_WINDOW = 14
_GLOBAL_BLOCKS = (5, 11)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.proj = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, tokens: Tensor, is_real: Tensor | None) -> Tensor:
        """Tokens `[B, N, C]`; where `is_real` `[B, N]` is False they are not asked."""
        n_batch, n_tokens, _ = tokens.shape
        split = self.qkv(tokens).view(n_batch, n_tokens, 3, _N_HEADS, -1)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mask = None if is_real is None else is_real[:, None, None, :]
        answers = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        joined: Tensor = self.proj(answers.transpose(1, 2).reshape(tokens.shape))
        return joined


class _Block(nn.Module):
    """Names as in timm, which MAE's files follow."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_WIDTH, eps=1e-6)
        self.attn = _Attention()
        self.norm2 = nn.LayerNorm(_WIDTH, eps=1e-6)
        self.fc1 = nn.Linear(_WIDTH, 4 * _WIDTH)
        self.fc2 = nn.Linear(4 * _WIDTH, _WIDTH)

    def forward(self, tokens: Tensor, is_real: Tensor | None) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens), is_real)
        inner: Tensor = self.fc2(F.gelu(self.fc1(self.norm2(tokens))))
        return tokens + inner


class _Pyramid(nn.Module):
    """From one feature map at 1/16 to four, at 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = _WIDTH // 2, _WIDTH // 4
        self.to_4 = nn.Sequential(
            nn.ConvTranspose2d(_WIDTH, half, 2, stride=2),
            nn.GroupNorm(1, half),
            nn.GELU(),
            nn.ConvTranspose2d(half, quarter, 2, stride=2),
            *_normed(nn.Conv2d(quarter, 128, 1), before=quarter, after=128),
        )
        self.to_8 = nn.Sequential(
            nn.ConvTranspose2d(_WIDTH, half, 2, stride=2),
            *_normed(nn.Conv2d(half, 256, 1), before=half, after=256),
        )
        self.to_16 = nn.Sequential(nn.Conv2d(_WIDTH, 512, 1), nn.GroupNorm(1, 512), nn.GELU())
        self.to_32 = nn.Sequential(
            nn.Conv2d(_WIDTH, 2 * _WIDTH, 2, stride=2),
            *_normed(nn.Conv2d(2 * _WIDTH, 1024, 1), before=2 * _WIDTH, after=1024),
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        return [way(features) for way in (self.to_4, self.to_8, self.to_16, self.to_32)]


def _normed(convolution: nn.Module, *, before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.GroupNorm(1, before), convolution, nn.GroupNorm(1, after), nn.GELU()


class VitBackbone(nn.Module):
    """Image and guidance are cut into patches separately and added, then attended to."""

    n_channels = 256
    stride = 32

    def __init__(self) -> None:
        super().__init__()
        self.image_patches = nn.Conv2d(3, _WIDTH, _PATCH, stride=_PATCH)
        self.guidance_patches = nn.Conv2d(4, _WIDTH, _PATCH, stride=_PATCH)
        self.positions = nn.Parameter(torch.zeros(1, GRID * GRID, _WIDTH))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.ModuleList(_Block() for _ in range(_N_BLOCKS))
        self.pyramid = _Pyramid()
        n = self.n_channels
        self.projections = nn.ModuleList(nn.Conv2d(n_in, n, 1) for n_in in (128, 256, 512, 1024))
        self.mix = nn.Conv2d(4 * n, n, 1)

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return features float32 `[B, 256, H/4, W/4]`.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        patches = self.image_patches(image) + self.guidance_patches(guidance)
        n_batch, _, height, width = patches.shape
        tokens = patches.flatten(2).transpose(1, 2) + self._positions_for(height, width)
        tokens = tokens.view(n_batch, height, width, _WIDTH)
        for index, block in enumerate(self.blocks):
            tokens = _attend(block, tokens, in_windows=index not in _GLOBAL_BLOCKS)
        levels = self.pyramid(tokens.permute(0, 3, 1, 2))
        size = levels[0].shape[-2:]
        projected = [
            F.interpolate(F.relu(layer(level)), size, mode="bilinear", align_corners=False)
            for layer, level in zip(self.projections, levels, strict=True)
        ]
        return F.relu(self.mix(torch.cat(projected, dim=1)))

    def _positions_for(self, height: int, width: int) -> Tensor:
        """The learned positions, interpolated where the grid is another than learned for."""
        if (height, width) == (GRID, GRID):
            return self.positions
        grid = self.positions.view(1, GRID, GRID, _WIDTH).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, (height, width), mode="bicubic", align_corners=False)
        return grid.flatten(2).transpose(1, 2)


def _attend(block: nn.Module, tokens: Tensor, *, in_windows: bool) -> Tensor:
    """One block on tokens `[B, H, W, C]`; a grid that windows do not divide is padded.

    The padding is masked out, so it changes no real token.
    """
    n_batch, height, width, _ = tokens.shape
    if not in_windows:
        answered: Tensor = block(tokens.flatten(1, 2), None)
        return answered.view(tokens.shape)
    bottom, right = -height % _WINDOW, -width % _WINDOW
    padded = F.pad(tokens, (0, 0, 0, right, 0, bottom))
    is_real = None
    if bottom or right:
        real = torch.ones(1, height, width, 1, dtype=torch.bool, device=tokens.device)
        is_real = _windows(F.pad(real, (0, 0, 0, right, 0, bottom)))[..., 0]
        is_real = is_real.repeat(n_batch, 1)
    windows = block(_windows(padded), is_real)
    n_rows, n_columns = padded.shape[1] // _WINDOW, padded.shape[2] // _WINDOW
    windows = windows.view(n_batch, n_rows, n_columns, _WINDOW, _WINDOW, _WIDTH)
    joined: Tensor = windows.transpose(2, 3).reshape(padded.shape)
    return joined[:, :height, :width]


def _windows(tokens: Tensor) -> Tensor:
    """Tokens `[B, H, W, C]` cut into windows `[B * n, 14 * 14, C]`, row by row."""
    n_batch, height, width, n_channels = tokens.shape
    cut = tokens.view(n_batch, height // _WINDOW, _WINDOW, width // _WINDOW, _WINDOW, n_channels)
    return cut.transpose(2, 3).reshape(-1, _WINDOW * _WINDOW, n_channels)
