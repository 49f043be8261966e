"""What it costs a pixel to be object and not background, by its looks and its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from mfp_model.graph_cut.constants import GraphCutConfig

Floats = NDArray[np.float64]
_N_COMPONENTS = 5
_MAX_COST = 12.0  # no colour is proof: what one pixel can say at most, in nats
_MAX_SAMPLES = 20_000
_EVEN_WAY = 0.02  # what a step between equal pixels costs, next to one across the median contrast


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """A mixture of Gaussians over features of D channels.

    Attributes:
        log_weights: `[K]`, normalisation included.
        means: `[K, D]`.
        whitenings: `[K, D, D]`; a difference times one has the identity as its covariance.
    """

    log_weights: Floats
    means: Floats
    whitenings: Floats

    @staticmethod
    def of(samples: Floats, *, floor: float) -> Mixture:
        """Return the mixture of samples `[n, D]`: clusters by k-means, a Gaussian for each.

        Args:
            samples: At least one.
            floor: Variance that every direction has at least.
        """
        n_samples, n_channels = samples.shape
        thinned = samples[:: max(1, n_samples // _MAX_SAMPLES)]
        n_components = min(_N_COMPONENTS, len(np.unique(thinned, axis=0)))
        _, labels = kmeans2(thinned, n_components, minit="++", rng=0)
        log_weights, means, whitenings = [], [], []
        for label in np.unique(labels):
            members = thinned[labels == label]
            centred = members - members.mean(axis=0)
            covariance = centred.T @ centred / len(members) + floor * np.eye(n_channels)
            whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T
            log_size = np.log(len(members) / len(thinned))
            log_weights.append(log_size + np.log(np.abs(np.diag(whitening))).sum())
            means.append(members.mean(axis=0))
            whitenings.append(whitening)
        return Mixture(
            log_weights=np.array(log_weights),
            means=np.array(means),
            whitenings=np.array(whitenings),
        )

    def log_density(self, features: Floats) -> Floats:
        """Return the log density `[n]` of features `[n, D]`, up to a constant of D."""
        best = np.full(len(features), -np.inf)
        for log_weight, mean, whitening in zip(
            self.log_weights, self.means, self.whitenings, strict=True
        ):
            distance = (((features - mean) @ whitening) ** 2).sum(axis=1)
            best = np.logaddexp(best, log_weight - distance / 2)
        return best


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Appearance:
    """How object and background look."""

    object: Mixture
    background: Mixture

    def cost(self, features: Floats) -> Floats:
        """Return what being object costs more, in nats, `[n]` for features `[n, D]`."""
        difference = self.background.log_density(features) - self.object.log_density(features)
        return np.clip(difference, -_MAX_COST, _MAX_COST)


def appearance_of(
    features: Floats,
    is_object: NDArray[np.bool_],
    is_background: NDArray[np.bool_],
    config: GraphCutConfig,
    floor: float,
) -> Appearance:
    """Return how object and background look, learned from the pixels given for each.

    Args:
        features: `[H, W, D]`.
        is_object: Where to learn the object, bool `[H, W]`, somewhere true.
        is_background: Where to learn the background, bool `[H, W]`.
        config: Names the kind.
        floor: Variance that every direction has at least.
    """
    mixtures = [Mixture.of(features[place], floor=floor) for place in (is_object, is_background)]
    if config.appearance == "centroids":
        mixtures = [_even(mixture, floor) for mixture in mixtures]
    return Appearance(object=mixtures[0], background=mixtures[1])


def _even(mixture: Mixture, floor: float) -> Mixture:
    """Clusters of one weight, with the floor for their variance: the nearest centroid decides."""
    n_clusters, n_channels = mixture.means.shape
    spread = np.eye(n_channels) / np.sqrt(floor)
    return Mixture(
        log_weights=np.zeros(n_clusters),
        means=mixture.means,
        whitenings=np.repeat(spread[None], n_clusters, axis=0),
    )


def way_cost(right: Floats, down: Floats, seeds: NDArray[np.int8]) -> Floats:
    """Return -1..1, `[H, W]`: whether the nearest seed over even ground is background or object.

    The way between neighbours is as long as they differ; the image's edge counts as background
    where nothing else is known.

    Args:
        right: Squared differences to the pixel on the right over the median, `[H, W]`.
        down: The same to the pixel below, `[H, W]`.
        seeds: 1 for object, -1 for background, 0 for neither, `[H, W]`.

    Source: Price et al., section 3.2: the relative length of the two ways.
    """
    height, width = seeds.shape
    index = np.arange(height * width).reshape(height, width)
    starts = np.concatenate([index[:, :-1].reshape(-1), index[:-1].reshape(-1)])
    ends = np.concatenate([index[:, 1:].reshape(-1), index[1:].reshape(-1)])
    steps = np.concatenate([right[:, :-1].reshape(-1), down[:-1].reshape(-1)])
    lengths = _EVEN_WAY + np.sqrt(steps)
    ways = coo_array((lengths, (starts, ends)), shape=(index.size, index.size)).tocsr()
    is_edge = np.zeros(seeds.shape, dtype=np.bool_)
    is_edge[[0, -1], :] = is_edge[:, [0, -1]] = True
    ground = (seeds < 0) | (is_edge & (seeds == 0))
    if not ground.any() or not (seeds > 0).any():
        return np.full(seeds.shape, -1.0 if (seeds > 0).any() else 1.0)
    near, far = (
        dijkstra(ways, directed=False, indices=index[place], min_only=True)
        for place in (seeds > 0, ground)
    )
    return np.asarray(((near - far) / (near + far + 1e-9)).reshape(height, width))
