"""Distances between all heads of a model on the same rows, made for speed."""

import numpy as np
from jaxtyping import Bool, Float, Int

BLOCK_VALUES = 2**16
"""Weights of pairs held at a time: half a megabyte stays in a processor's cache."""

Pairs = Float[np.ndarray, "unit unit"]


def all_pairs(
    weights: Float[np.ndarray, "unit row key"], valid: Bool[np.ndarray, "unit row"]
) -> tuple[Pairs, Pairs]:
    """Return sums over rows of √(JSD/ln 2) between units, and the rows valid in both.

    As `distance.row_distance`, but only weights that some unit has are read, row by row side
    by side, and pairs are met in blocks.

    Parameters
    ----------
    weights
        Each valid row sums to 1; others are 0. float64.
    valid
        Rows that count.

    Returns
    -------
    sum, rows
        Symmetric; the sum's diagonal is 0.
    """
    count = len(weights)
    both = valid.astype(np.float64)
    total = np.zeros((count, count))
    seen = np.asarray(weights.any(axis=0))
    some = seen.any(axis=1)  # rows without weight have no distance
    flat = np.ascontiguousarray(weights[:, seen])
    starts = np.cumsum(seen.sum(axis=1)[some]) - seen.sum(axis=1)[some]
    counted = both[:, some]
    entropy = _entropy(flat.copy(), starts)
    size = max(1, BLOCK_VALUES // max(1, flat.shape[1]))
    for i in range(count - 1):
        for first in range(i + 1, count, size):
            others = slice(first, first + size)
            mixture = _entropy(0.5 * (flat[i] + flat[others]), starts)
            share = (mixture - 0.5 * (entropy[i] + entropy[others])) / np.log(2)
            far = np.sqrt(np.clip(share, 0.0, 1.0))
            total[i, others] = (far * counted[others]) @ counted[i]
    return total + total.T, both @ both.T


def _entropy(
    p: Float[np.ndarray, "some weight"], starts: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "some row"]:
    """Return −Σ p ln p of rows that lie side by side; `p` is overwritten."""
    p *= np.log(np.maximum(p, np.finfo(np.float64).tiny))
    return -np.add.reduceat(p, starts, axis=1) if len(starts) else np.zeros((len(p), 0))
