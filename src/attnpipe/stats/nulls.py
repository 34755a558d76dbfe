"""Random attention rows that are as sharp as given ones."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import entr

from attnpipe.stats.rows import Support, Weights, chunks, finite

STEPS = 60
"""Halvings of the bracket of the inverse temperature: to the last bits of a double."""
DOUBLINGS = 60
"""Largest inverse temperature 2⁶⁰, which leaves no second key however close the logits."""

Rows = Float[np.ndarray, "sample query key"]
Seen = Bool[np.ndarray, "sample query key"]


def matched_entropy(
    weights: Weights, support: Support, logits: Float[np.ndarray, "#sample #query key"]
) -> Rows:
    """Return softmax(βz) of given logits z, each row with the entropy of its original.

    The inverse temperature β of every row is solved for by bisection, as the entropy of
    softmax(βz) falls from ln n at β = 0 to 0. With random logits, what remains of a finding
    under these weights comes from sharpness alone.

    Parameters
    ----------
    weights
        Non-negative; each row is divided by its sum over its support, off which it is ignored.
    support
        Axes of size 1 stand for "the same for all".
    logits
        Different from key to key; axes of size 1 as in `support`: rows with the same logits
        look at the same keys.

    Returns
    -------
    array
        Float64 of the shape of `weights`, rows sum to 1; zero where the original is zero or
        not finite.
    """
    seen = np.broadcast_to(support, weights.shape)
    wanted = np.broadcast_to(logits, weights.shape)
    out = np.zeros(weights.shape)
    for part in chunks(weights.shape, 1):
        out[part] = _matched(finite(weights[part], seen[part]), seen[part], wanted[part])
    return out


def _matched(rows: Rows, seen: Seen, wanted: Rows) -> Rows:
    total = rows.sum(axis=-1, keepdims=True)
    target = _entropy(rows / np.where(total > 0, total, 1.0))
    logits = np.where(seen, wanted, -np.inf)
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
