"""How concentrated a row is: entropy, effective keys, spread of the weights, largest weights.

Every function maps `Rows` to one float64 per row, ``[head, sample, query]``, NaN where
the metric is undefined. Rows of padding are masked by the caller. n is the row's own support.
"""

from typing import Any

from jaxtyping import Float

from attnpipe.metrics.rows import Rows

PerRow = Float[Any, "head sample query"]


def entropy(rows: Rows) -> PerRow:
    """Shannon entropy H = −Σ p ln p, nats, in [0, ln n] (Shannon 1948)."""
    return rows.entropy


def entropy_normalized(rows: Rows) -> PerRow:
    """H / ln n, in [0, 1]; undefined for n = 1."""
    return ratio(rows, rows.entropy, rows.xp.log(_at_least_one(rows)))


def effective_keys_n1(rows: Rows) -> PerRow:
    """N₁ = exp H, keys, in [1, n]: Hill number of order 1 (Hill 1973)."""
    return rows.xp.exp(rows.entropy)


def effective_keys_n2(rows: Rows) -> PerRow:
    """N₂ = 1 / Σ p², keys, in [1, N₁]: Hill number of order 2 (Hill 1973)."""
    return ratio(rows, rows.xp.ones_like(rows.square_sum), rows.square_sum)


def kl_uniform(rows: Rows) -> PerRow:
    """Divergence from the uniform row, ln n − H, nats, in [0, ln n]; TV ≤ √(KL / 2) (Pinsker)."""
    return rows.xp.log(_at_least_one(rows)) - rows.entropy


def row_std_normalized(rows: Rows) -> PerRow:
    """Spread of the weights: their population sd over its bound √(n − 1)/n, in [0, 1].

    √((Σp² − 1/n)/n) · n/√(n − 1) = √((n Σp² − 1)/(n − 1)); undefined for n = 1.
    """
    xp = rows.xp
    excess = rows.n * rows.square_sum - 1.0
    return xp.sqrt(ratio(rows, xp.where(excess > 0, excess, 0.0), rows.n - 1.0))


def gini(rows: Rows) -> PerRow:
    """Gini coefficient with the small-sample factor n/(n − 1), in [0, 1]; undefined for n = 1.

    [2 Σ i·p₍ᵢ₎/n − (n + 1)/n] · n/(n − 1), p ascending, i from 1 (Gini 1912; Deltas 2003).
    """
    xp, keys = rows.xp, rows.weights.shape[-1]
    # Keys off the support are zeros at the front of the sorted row: they only shift i.
    shift = keys - rows.n
    i = xp.cumulative_sum(xp.ones_like(rows.weights[0, 0, 0, :]), axis=-1)
    weighted = xp.vecdot(rows.ascending, i) - shift
    value = 2.0 * weighted - rows.n - 1.0
    return ratio(rows, xp.where(value > 0, value, 0.0), rows.n - 1.0)


def top_mass(rows: Rows, k: int) -> PerRow:
    """Mass T_k of the k largest weights, in [k/n, 1]; 1 where n ≤ k."""
    keys = rows.weights.shape[-1]
    return rows.xp.sum(rows.ascending[..., max(0, keys - k) :], axis=-1)


def top_excess(rows: Rows, k: int) -> PerRow:
    """(T_k − k/n)/(1 − k/n), in [0, 1]; undefined for n ≤ k.

    Noise inflates it: it is to be compared with the untrained model's.
    """
    return excess_over_chance(rows, top_mass(rows, k), k)


def max_weight(rows: Rows) -> PerRow:
    """Largest weight of the row, in [1/n, 1]."""
    return rows.ascending[..., -1]


def excess_over_chance(rows: Rows, mass: PerRow, k: int) -> PerRow:
    """(mass − k/n)/(1 − k/n): 0 for the uniform row, 1 at most; undefined for n ≤ k."""
    xp, n = rows.xp, rows.n
    return ratio(rows, n * mass - k, xp.where(n > k, n - k, 0.0))


def ratio(rows: Rows, numerator: Any, denominator: Any) -> Any:
    """Return numerator / denominator, NaN where the denominator is 0."""
    xp = rows.xp
    zero = denominator == 0
    return xp.where(zero, xp.nan, numerator / xp.where(zero, 1.0, denominator))


def _at_least_one(rows: Rows) -> Any:
    return rows.xp.where(rows.n > 0, rows.n, 1.0)
