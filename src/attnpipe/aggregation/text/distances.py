"""How alike all heads of a model are → table `head_distances`, and clusters of them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from attnpipe.aggregation.text.sinks import off_sinks
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.all_pairs import all_pairs
from attnpipe.metrics.tokens.head_distances import ROWS, spaced
from attnpipe.stats.clustering import cluster
from attnpipe.tables.text import HEAD_DISTANCES

Full = Float[np.ndarray, "layer head _ _"]
Sinks = Bool[np.ndarray, " _"]
Pairs = Float[np.ndarray, "unit unit"]


def model_distances(maps: Sequence[Full], removed: Sequence[Sinks] | None = None) -> Pairs:
    """Return the mean √(JSD/ln 2) between the same rows of every two heads of a model.

    Mean over the valid rows of a text (finite, with mass; of a text longer than 64 tokens
    as many evenly spaced ones), then over texts.

    Parameters
    ----------
    maps
        Weights of each text, ``[layer, head, query, key]``. A unit is a head of a layer,
        layer by layer.
    removed
        Sinks of each text, which are taken out of its rows first: heads that share a sink
        look alike whatever they do elsewhere.

    Returns
    -------
    array
        Symmetric, in [0, 1], zero diagonal; NaN where two heads share no valid row.
    """
    units = maps[0].shape[0] * maps[0].shape[1]
    total, texts = np.zeros((units, units)), np.zeros((units, units))
    for place, full in enumerate(maps):
        length = full.shape[2]
        chosen = spaced(np.arange(length), length, ROWS)
        weights = full[:, :, chosen].astype(np.float64)
        if removed is not None:
            weights = off_sinks(weights, removed[place])
        far, rows = _text_distances(weights.reshape(units, len(chosen), -1))
        mean = divide(far, rows)
        total += np.nan_to_num(mean, nan=0.0)
        texts += ~np.isnan(mean)
    return divide(total, texts)


def _text_distances(weights: Float[np.ndarray, "unit row key"]) -> tuple[Pairs, Pairs]:
    """Return sums of distances over rows, and numbers of rows valid in both."""
    sums = np.where(np.isfinite(weights).all(axis=-1), weights.sum(axis=-1), 0.0)
    valid = sums > 0
    scale = np.where(valid, sums, 1.0)[..., None]
    return all_pairs(np.where(valid[..., None], weights / scale, 0.0), valid)


def head_clusters(distances: Pairs, most: int) -> Int[np.ndarray, " unit"]:
    """Return the cluster of each unit by average linkage, −1 for units without distances.

    Parameters
    ----------
    distances
        As of `model_distances`.
    most
        Number of clusters; fewer only where equal distances leave no such cut.
    """
    known: Bool[np.ndarray, " unit"] = ~np.isnan(np.diag(distances))
    labels = np.full(len(distances), -1)
    own = distances[np.ix_(known, known)]
    if np.isnan(own).any():
        return labels
    heights = cluster(own, 0.0).merges[:, 2]
    joined = len(own) - most
    cut = heights[joined - 1] if joined > 0 else 0.0
    labels[known] = cluster(own, cut).labels
    return labels


def head_distances(
    model: str, checkpoint: str, condition: str | None, distances: Pairs, heads: int, texts: int
) -> pl.DataFrame:
    """Return the pairs above the diagonal.

    Parameters
    ----------
    model, checkpoint, condition
        Whose they are, and whether sinks were removed.
    distances
        As of `model_distances`.
    heads
        Heads per layer.
    texts
        Texts behind them.
    """
    a, b = np.triu_indices(len(distances), k=1)
    frame = pl.DataFrame(
        {
            "layer_a": a // heads,
            "head_a": a % heads,
            "layer_b": b // heads,
            "head_b": b % heads,
            "distance": distances[a, b],
        }
    )
    return HEAD_DISTANCES.conform(
        frame.with_columns(
            pl.col("distance").fill_nan(None),
            model=pl.lit(model),
            checkpoint=pl.lit(checkpoint),
            condition=pl.lit(condition, pl.String),
            n=pl.lit(texts),
        )
    )
