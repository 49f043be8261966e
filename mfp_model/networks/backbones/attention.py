"""Attention of every coarse cell to every other one."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

_HEAD_CHANNELS = 36  # of one attention head


class GlobalAttention(nn.Module):
    """Multi-head self-attention over the cells `[B, C, h, w]`, added to them.

    There are no positions, so any input size will do. It begins as the identity.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.queries_keys_values = nn.Linear(n_channels, 3 * n_channels)
        self.out = nn.Linear(n_channels, n_channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return the attended features, of the same shape."""
        n_batch, n_channels, height, width = features.shape
        cells = features.flatten(2).transpose(1, 2)
        joined = self.queries_keys_values(self.norm(cells))
        split = joined.view(n_batch, height * width, 3, -1, _HEAD_CHANNELS)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        answers = F.scaled_dot_product_attention(queries, keys, values)
        cells = cells + self.out(answers.transpose(1, 2).reshape(cells.shape))
        attended: Tensor = cells.transpose(1, 2).reshape(features.shape)
        return attended
