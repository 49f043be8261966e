"""Constants of the graph cut, as `mfp tune-graph-cut` chooses them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from mfp_model.errors import ConfigError, check_choice
from mfp_model.files import parsed_json
from mfp_model.names import APPEARANCES, FEATURES


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCutConfig:
    """What decides a cut beside image and clicks.

    Attributes:
        features: What seeds and other pixels are compared by: `rgb`, or `deep` for a network's
            features.
        smoothness: Lambda, the cost of a boundary between equal neighbours, in nats.
        appearance: How a pixel is compared with the seeds: `mixtures` of Gaussians, or the
            distance to the seeds' `centroids`.
        appearance_weight: Of the appearance, against the other costs.
        way_weight: Of the way to the seeds, see `mfp_model.graph_cut.unary`.
        n_refits: How often the mixtures are learned anew from the mask that they led to.
        seed_radius: How far around a click pixels are seeds, as a share of the long side.
        coarse_px: Long side of the first level in pixels.
        band_px: How far the boundary may move at each further level, in its pixels.

    Raises:
        ConfigError: A value outside its range.
    """

    features: str = "rgb"
    smoothness: float = 64.0
    appearance: str = "mixtures"
    appearance_weight: float = 0.5
    way_weight: float = 2.0
    n_refits: int = 3
    seed_radius: float = 0.02
    coarse_px: int = 256
    band_px: int = 4

    def __post_init__(self) -> None:
        check_choice("features", self.features, FEATURES)
        check_choice("appearance", self.appearance, APPEARANCES)
        for name in ("smoothness", "appearance_weight", "way_weight"):
            _check(name, getattr(self, name), 0, 1_000_000, Real, "a number")
        _check("seed_radius", self.seed_radius, 0, 0.2, Real, "a number")
        for name, low, high in (("n_refits", 0, 20), ("coarse_px", 16, 1024), ("band_px", 1, 64)):
            _check(name, getattr(self, name), low, high, Integral, "a whole number")

    @staticmethod
    def default(features: str) -> GraphCutConfig:
        """Return the constants chosen for `rgb` or `deep` features."""
        if features == "deep":
            return GraphCutConfig(
                features="deep", smoothness=256.0, appearance_weight=0.1, n_refits=1
            )
        return GraphCutConfig(features=features)


def load_config(path: Path) -> GraphCutConfig:
    """Return the constants that `mfp tune-graph-cut` wrote.

    Raises:
        ConfigError: The file cannot be read, or has other names or values.
    """
    try:
        return GraphCutConfig(**parsed_json(path.read_bytes())["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: expected a file of mfp tune-graph-cut, got {error!r:.200}"
        ) from None


def _check(name: str, value: float, low: float, high: float, kind: type, word: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name}={value!r:.40}: expected {word}, {low}..{high}")
