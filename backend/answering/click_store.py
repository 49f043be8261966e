"""Rounds already computed, by image, prior mask, weights and clicks.

The request's clicks are the truth; this only remembers what they led to. A new click finds
the prefix before it, an undo finds the shorter list itself, a moved point finds what came
before it. Whatever is not found is computed again, with the same bytes.
"""

from __future__ import annotations

from backend.storage.bounded_cache import BoundedCache, OnUse
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt

_OVERHEAD_BYTES = 2048  # keys, clicks and the objects around the arrays

RoundKey = tuple[str, str, tuple[Prompt, ...]]  # the first one names image and prior


class ClickStore:
    """Predictions by (image and prior, model version, clicks), bounded in bytes and age."""

    def __init__(
        self,
        *,
        max_bytes: int,
        max_age_s: float,
        on_use: OnUse = lambda is_kept, n_bytes: None,
    ) -> None:
        self._rounds: BoundedCache[RoundKey, Prediction] = BoundedCache(
            max_bytes=max_bytes, max_age_s=max_age_s
        )
        self._on_use = on_use

    @property
    def n_bytes(self) -> int:
        """Bytes held now."""
        return self._rounds.n_bytes

    def longest_prefix(
        self, start: str, version: str, prompts: tuple[Prompt, ...]
    ) -> Prediction | None:
        """Return the prediction for the longest prefix of the prompts that is kept."""
        prefixes = (prompts[:n_prompts] for n_prompts in range(len(prompts), 0, -1))
        kept = (self._rounds.get((start, version, prefix)) for prefix in prefixes)
        longest = next((prediction for prediction in kept if prediction is not None), None)
        self._on_use(longest is not None, self._rounds.n_bytes)
        return longest

    def remember(self, start: str, version: str, prediction: Prediction) -> None:
        """Keep a prediction for its prompts."""
        n_bytes = prediction.n_bytes + _OVERHEAD_BYTES
        self._rounds.put((start, version, prediction.prompts), prediction, n_bytes)

    def clear(self) -> None:
        """Forget everything; answers stay the same."""
        self._rounds.clear()
