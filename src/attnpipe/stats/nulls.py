"""Attention without a pattern of its own: what a finding must differ from."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import entr

from attnpipe.stats.rows import Support, Weights, chunks, finite, position_mean

STEPS = 60
"""Halvings of the bracket of the inverse temperature: to the last bits of a double."""
DOUBLINGS = 60
"""Largest inverse temperature 2⁶⁰, which leaves no second key however close the logits."""

Rows = Float[np.ndarray, "sample query key"]
Seen = Bool[np.ndarray, "sample query key"]


def uniform(support: Support) -> Rows:
    """Return the same weight 1/n on each of the n keys that a row may see.

    Parameters
    ----------
    support
        Axes of size 1 stay of size 1. A row that sees no key is zero.
    """
    n = support.sum(axis=-1, keepdims=True)
    return np.asarray(support / np.maximum(n, 1.0))


def by_position(weights: Weights, support: Support) -> Rows:
    """Return the mean weights at each query and key, the same for all samples.

    The mean is taken over samples that see the key; where support varies, rows are its
    restriction to the row's own support, divided by its sum. What remains of a finding
    under these weights comes from positions, not from content.

    Parameters
    ----------
    weights
        Off the support ignored; rows that are not finite count for no mean.
    support
        Axes of size 1 stand for "the same for all".

    Returns
    -------
    array
        Float64, rows sum to 1; zero for a row without support or mean.
    """
    seen = np.broadcast_to(support, weights.shape)
    rows = np.where(seen, position_mean(weights, seen), 0.0)
    total = rows.sum(axis=-1, keepdims=True)
    return rows / np.where(total > 0, total, 1.0)


def matched_entropy(weights: Weights, support: Support, rng: np.random.Generator) -> Rows:
    """Return random rows, each on the same support and with the same entropy as its original.

    Logits are independent standard normal for every row and key; their inverse
    temperature β is solved for by bisection, as the entropy of softmax(βz) falls
    from ln n at β = 0 to 0. What remains of a finding under these weights comes from
    sharpness alone.

    Parameters
    ----------
    weights
        Non-negative; each row is divided by its sum over its support.
    support
        As in `by_position`.
    rng
        Source of the logits.

    Returns
    -------
    array
        Float64, rows sum to 1; zero where the original is zero or not finite.
    """
    seen = np.broadcast_to(support, weights.shape)
    out = np.zeros(weights.shape)
    for part in chunks(weights.shape, 1):
        out[part] = _matched(finite(weights[part], seen[part]), seen[part], rng)
    return out


def _matched(rows: Rows, seen: Seen, rng: np.random.Generator) -> Rows:
    total = rows.sum(axis=-1, keepdims=True)
    target = _entropy(rows / np.where(total > 0, total, 1.0))
    logits = np.where(seen, rng.standard_normal(rows.shape), -np.inf)
    largest = logits.max(axis=-1, keepdims=True, initial=-np.inf)
    below = np.where(seen, logits, 0.0) - np.where(np.isfinite(largest), largest, 0.0)

    low, high = np.zeros(target.shape), np.ones(target.shape)
    for _ in range(DOUBLINGS):
        flat = _entropy(_softmax(below, high, seen)) > target
        if not flat.any():
            break
        low, high = np.where(flat, high, low), np.where(flat, 2 * high, high)
    for _ in range(STEPS):
        middle = (low + high) / 2
        flat = _entropy(_softmax(below, middle, seen)) > target
        low, high = np.where(flat, middle, low), np.where(flat, high, middle)
    return np.where(total > 0, _softmax(below, high, seen), 0.0)


def _softmax(
    below: Rows, inverse_temperature: Float[np.ndarray, "sample query"], seen: Seen
) -> Rows:
    """Return softmax over the support of logits whose largest is 0."""
    raised = np.where(seen, np.exp(inverse_temperature[..., None] * np.minimum(below, 0.0)), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    return raised / np.where(total > 0, total, 1.0)


def _entropy(rows: Rows) -> Float[np.ndarray, "sample query"]:
    """Return the entropy of each row, nats; 0 ln 0 = 0."""
    return np.asarray(entr(rows).sum(axis=-1))
