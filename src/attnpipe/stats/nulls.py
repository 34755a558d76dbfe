"""Random attention rows that are as sharp as given ones."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import entr

from attnpipe.stats.rows import Support, Weights, chunks, finite

STEPS = 200
"""Most steps towards the inverse temperature; about eight are usual."""
CLOSE = 1e-13
"""Nats by which a row's entropy may miss its target: the rounding of a sum over its keys."""
DOUBLINGS = 60
"""Largest inverse temperature 2⁶⁰, which leaves no second key however close the logits."""

Rows = Float[np.ndarray, "sample query key"]
Seen = Bool[np.ndarray, "sample query key"]
Flat = Float[np.ndarray, "row key"]
FlatSeen = Bool[np.ndarray, "row key"]
PerRow = Float[np.ndarray, " row"]


def matched_entropy(
    weights: Weights, support: Support, logits: Float[np.ndarray, "#sample #query key"]
) -> Rows:
    """Return softmax(βz) of given logits z, each row with the entropy of its original.

    The inverse temperature β of every row is solved for, as the entropy of
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

    found = _inverse_temperature(
        below.reshape(-1, below.shape[-1]), seen.reshape(-1, seen.shape[-1]), target.ravel()
    ).reshape(target.shape)
    return np.where(total > 0, _softmax(below, found, seen), 0.0)


def _inverse_temperature(below: Flat, seen: FlatSeen, target: PerRow) -> PerRow:
    """Return β of each row, at which softmax(βz) has the entropy `target`.

    Newton's method in β², of which the entropy is nearly linear near 0 (its slope is −½ Var z
    under softmax(βz)), inside a bracket: a step that leaves it, or gains too little, is replaced
    by its middle.
    """
    low, high = np.zeros(target.shape), np.ones(target.shape)
    left = np.arange(len(target))
    for _ in range(DOUBLINGS):
        left = left[_entropy(_softmax(below[left], high[left], seen[left])) > target[left]]
        if not len(left):
            break
        low[left], high[left] = high[left], 2 * high[left]

    beta, before = high.copy(), np.full(target.shape, np.inf)
    left = np.arange(len(target))
    for _ in range(STEPS):
        now, z = beta[left], np.where(seen[left], below[left], 0.0)
        p = _softmax(z, now, seen[left])
        excess = _entropy(p) - target[left]
        high[left] = np.where(excess > 0, high[left], now)
        low[left] = np.where(excess > 0, now, low[left])
        mean = (p * z).sum(axis=-1)
        half_variance = (p * z * z).sum(axis=-1) / 2 - mean * mean / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.sqrt(now * now + excess / half_variance)
        good = (low[left] < step) & (step < high[left]) & (np.abs(excess) < before[left] / 2)
        after = np.where(good, step, (low[left] + high[left]) / 2)
        before[left] = np.abs(excess)
        going = (before[left] > CLOSE) & (after != now)
        left = left[going]
        if not len(left):
            break
        beta[left] = after[going]
    return beta


def _softmax(
    below: Float[np.ndarray, "*row key"],
    inverse_temperature: Float[np.ndarray, "*row"],
    seen: Bool[np.ndarray, "*row key"],
) -> Float[np.ndarray, "*row key"]:
    """Return softmax over the support of logits whose largest is 0."""
    raised = np.where(seen, np.exp(inverse_temperature[..., None] * np.minimum(below, 0.0)), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    return raised / np.where(total > 0, total, 1.0)


def _entropy(rows: Float[np.ndarray, "*row key"]) -> Float[np.ndarray, "*row"]:
    """Return the entropy of each row, nats; 0 ln 0 = 0."""
    return np.asarray(entr(rows).sum(axis=-1))
