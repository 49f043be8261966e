"""The cheapest labelling of a grid, or of a band within one, by maximum flow.

A labelling costs what each pixel's label costs, and for each pair of neighbours with different
labels the weight between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import ConfigError

Floats = NDArray[np.float64]
_FIXED = 1e9  # what a seed's wrong label costs: more than any boundary around it


def cut_grid(object_cost: Floats, seeds: NDArray[np.int8], right: Floats, down: Floats) -> Any:  # noqa: ANN401, mypy knows no maxflow
    """Return the cheapest mask, bool `[H, W]`, with which every seed agrees.

    Args:
        object_cost: What it costs more to be object than background, `[H, W]`.
        seeds: 1 for object, -1 for background, 0 for neither, `[H, W]`.
        right: Weights between a pixel and the one right of it, `[H, W]`; the last column is idle.
        down: Weights between a pixel and the one below, `[H, W]`; the last row is idle.
    """
    maxflow = _maxflow()
    graph = maxflow.Graph[float](object_cost.size, 2 * object_cost.size)
    nodes = graph.add_grid_nodes(object_cost.shape)
    for weights, structure in (
        (right, [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
        (down, [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
    ):
        graph.add_grid_edges(nodes, weights, structure=np.array(structure), symmetric=True)
    costs = np.where(seeds == 0, object_cost, -_FIXED * seeds)
    graph.add_grid_tedges(nodes, np.maximum(-costs, 0), np.maximum(costs, 0))
    graph.maxflow()
    return ~graph.get_grid_segments(nodes)


def cut_band(
    mask: NDArray[np.bool_],
    band: NDArray[np.bool_],
    object_cost: Floats,
    seeds: NDArray[np.int8],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64], Floats],
) -> NDArray[np.bool_]:
    """Return the mask with its cheapest labels within the band; outside it stays.

    Args:
        mask: Labels so far, bool `[H, W]`.
        band: Where labels may change, bool `[H, W]`.
        object_cost: What it costs more to be object, for each pixel of the band, `[n]`.
        seeds: 1 for object, -1 for background, 0 for neither, `[n]`.
        pairs: Flat indices of neighbours, the first of each in the band, and their weights.
    """
    n_nodes = int(band.sum())
    if not n_nodes:
        return mask
    maxflow = _maxflow()
    number = np.full(band.size, -1, dtype=np.int64)
    number[np.flatnonzero(band)] = np.arange(n_nodes)
    first, second, weights = pairs
    inside = number[second] >= 0
    graph = maxflow.Graph[float](n_nodes, len(first))
    nodes = graph.add_nodes(n_nodes)
    graph.add_edges(number[first[inside]], number[second[inside]], weights[inside], weights[inside])
    # A neighbour outside the band has its label; disagreeing with it costs the pair's weight.
    costs = np.where(seeds == 0, object_cost, -_FIXED * seeds)
    towards = np.where(mask.reshape(-1)[second[~inside]], -1.0, 1.0) * weights[~inside]
    np.add.at(costs, number[first[~inside]], towards)
    graph.add_grid_tedges(nodes, np.maximum(-costs, 0), np.maximum(costs, 0))
    graph.maxflow()
    labels = mask.copy()
    labels[band] = ~graph.get_grid_segments(nodes)
    return labels


def _maxflow() -> Any:  # noqa: ANN401, mypy knows no maxflow
    try:
        import maxflow
    except ImportError:
        raise ConfigError(
            "graph cuts need PyMaxflow (GPL, so not installed by itself): "
            "pip install '.[graph-cut]'"
        ) from None
    return maxflow
