"""Mixtures of tuned weights with the base's, and which of them is taken.

Source: WiSE-FT (Wortsman et al., 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.fine_tuning.gate import Judgement, Verdict, hangs_on_general, verdict


def blended(base: Checkpoint, tuned: Checkpoint, share: float) -> Checkpoint:
    """Return a mixture of both weights.

    Args:
        base: What was tuned.
        tuned: What came of it.
        share: Of the tuned weights, 0..1.
    """
    weights = {
        name: torch.lerp(base.weights[name], tensor, share)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in tuned.weights.items()
    }
    origin = {**tuned.origin, "share_of_tuned_weights": share, "fine_tuned_from": base.version}
    return Checkpoint(version=tuned.version, config=tuned.config, weights=weights, origin=origin)


def best_blend(
    shares: Sequence[float], judged: Callable[[float, bool], Judgement], old: Judgement
) -> tuple[float, Judgement, Verdict]:
    """Return the first share that passes, the first of all if none does, with whole scores.

    The general set, which takes longest, is measured only of shares whose verdict hangs on it,
    and of the one that is returned.

    Args:
        shares: Of the tuned weights, in the order in which they are tried.
        judged: Returns a share's scores; asked whether with those on the general set.
        old: Scores of what serves now.
    """
    for share in shares:
        new = judged(share, False)
        if hangs_on_general(new, old):
            new = judged(share, True)
            decision = verdict(new, old)
            if decision.passes:
                return share, new, decision
    new = judged(shares[0], True)
    return shares[0], new, verdict(new, old)
