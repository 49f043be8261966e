"""A discriminator that judges patches of masks, and what it adds to a network's loss.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017): the 70-pixel PatchGAN.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.training import ranks

_LEARNING_RATE = 1e-4  # Source: the system that the U-Net comes from; betas from pix2pix.
_BETAS = (0.5, 0.999)
_WIDTHS = (64, 128, 256)


class PatchDiscriminator(nn.Sequential):
    """Whether each patch of a mask is a person's: logits `[B, 1, h, w]` of `[B, 4, H, W]`."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        n_in = 4  # image and mask
        for index, n_out in enumerate(_WIDTHS):
            layers += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1)]
            layers += [nn.InstanceNorm2d(n_out)] if index else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            n_in = n_out
        layers += [nn.Conv2d(n_in, 2 * n_in, 4, padding=1), nn.InstanceNorm2d(2 * n_in)]
        layers += [nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(2 * n_in, 1, 4, padding=1)]
        super().__init__(*layers)


class Adversary:
    """A discriminator and its optimiser."""

    def __init__(self, device: torch.device) -> None:
        self._judge = PatchDiscriminator().to(device)
        self._optimiser = torch.optim.Adam(
            self._judge.parameters(), lr=_LEARNING_RATE, betas=_BETAS
        )

    def state_dict(self) -> dict[str, Any]:
        """Return weights and moments."""
        return {"judge": self._judge.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over weights and moments."""
        self._judge.load_state_dict(state["judge"])
        self._optimiser.load_state_dict(state["optimiser"])

    def penalty(self, image: Tensor, logits: Tensor) -> Tensor:
        """Return how surely the masks are taken for a network's, a scalar with gradient.

        Args:
            image: RGB float32 `[B, 3, H, W]` in 0..1.
            logits: The network's, `[B, H, W]`.
        """
        verdict = self._judge(_joined(image, logits.sigmoid()))
        return F.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))

    def learn(self, image: Tensor, logits: Tensor, truth: Tensor) -> None:
        """Take one step towards telling the truth from the network's masks.

        Args:
            image: As above.
            logits: As above; no gradient flows back to them.
            truth: int8 `[B, H, W]`; where it is ignored (-1), both get the network's answer.
        """
        drawn = logits.detach().sigmoid()
        real = torch.where(truth < 0, drawn, (truth > 0).to(drawn.dtype))
        loss = torch.zeros((), device=image.device)
        for masks, is_real in ((real, 1.0), (drawn, 0.0)):
            verdict = self._judge(_joined(image, masks))
            wanted = torch.full_like(verdict, is_real)
            loss = loss + F.binary_cross_entropy_with_logits(verdict, wanted) / 2
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average_gradients(self._judge)
        self._optimiser.step()


def _joined(image: Tensor, masks: Tensor) -> Tensor:
    return torch.cat([image * 2 - 1, masks[:, None] * 2 - 1], dim=1)
