"""How alike all heads of a model are → table `head_distances`, and clusters of them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.head_distances import ROWS, spaced
from attnpipe.stats.clustering import cluster
from attnpipe.tables.text import HEAD_DISTANCES

BLOCK_VALUES = 65_536
"""Weights of pairs held at a time: they stay in the processor's cache."""

Full = Float[np.ndarray, "layer head _ _"]
Pairs = Float[np.ndarray, "unit unit"]


def model_distances(maps: Sequence[Full]) -> Pairs:
    """Return the mean √(JSD/ln 2) between the same rows of every two heads of a model.

    Mean over the valid rows of a text (finite, with mass; of a text longer than 256 tokens
    as many evenly spaced ones), then over texts. Only keys that some head sees are read,
    and each pair is met once; no array holds more than `BLOCK_VALUES` weights of pairs.

    Parameters
    ----------
    maps
        Weights of each text, ``[layer, head, query, key]``. A unit is a head of a layer,
        layer by layer.

    Returns
    -------
    array
        Symmetric, in [0, 1], zero diagonal; NaN where two heads share no valid row.
    """
    units = maps[0].shape[0] * maps[0].shape[1]
    total, texts = np.zeros((units, units)), np.zeros((units, units))
    for full in maps:
        length = full.shape[2]
        chosen = spaced(np.arange(length), length, ROWS)
        weights = full[:, :, chosen].reshape(units, len(chosen), -1).astype(np.float64)
        far, rows = _text_distances(weights)
        mean = divide(far + far.T, rows)
        total += np.nan_to_num(mean, nan=0.0)
        texts += ~np.isnan(mean)
    return divide(total, texts)


def _text_distances(
    weights: Float[np.ndarray, "unit row key"],
) -> tuple[Pairs, Pairs]:
    """Return sums of distances over rows, above the diagonal, and numbers of rows valid in both."""
    valid = np.isfinite(weights).all(axis=-1)
    weights = np.where(valid[..., None], weights, 0.0)
    sums = weights.sum(axis=-1)
    valid &= sums > 0
    weights = np.where(valid[..., None], weights / np.where(valid, sums, 1.0)[..., None], 0.0)
    seen = np.asarray(weights.any(axis=0))
    seen[:, 0] = True  # so that every row has a place
    flat = np.ascontiguousarray(weights[:, seen])
    starts = np.concatenate([[0], np.cumsum(seen.sum(axis=1))[:-1]])
    entropy = _entropy(flat.copy(), starts)
    both = valid.astype(np.float64)
    far = np.zeros((len(flat), len(flat)))
    size = max(1, BLOCK_VALUES // flat.shape[1])
    for i in range(len(flat) - 1):
        for start in range(i + 1, len(flat), size):
            others = slice(start, start + size)
            mixture = _entropy(0.5 * (flat[i] + flat[others]), starts)
            jsd = mixture - 0.5 * (entropy[i] + entropy[others])
            distance = np.sqrt(np.clip(jsd / np.log(2), 0.0, 1.0))
            far[i, others] = (distance * both[others]) @ both[i]
    return far, both @ both.T


def _entropy(
    p: Float[np.ndarray, "unit entry"], starts: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "unit row"]:
    """Return the entropy of each row, nats; its entries lie side by side. Overwrites `p`."""
    logs = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    p *= logs
    return np.asarray(-np.add.reduceat(p, starts, axis=1))


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
    model: str, checkpoint: str, distances: Pairs, heads: int, texts: int
) -> pl.DataFrame:
    """Return the pairs above the diagonal.

    Parameters
    ----------
    model, checkpoint
        Whose they are.
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
            n=pl.lit(texts),
        )
    )
