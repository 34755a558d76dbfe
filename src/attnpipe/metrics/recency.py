"""Where in time a row looks: mass of the newest keys, and lag.

Every function maps `Rows` to one float64 per row, ``[head, sample, query]``, NaN where
the metric is undefined. "Newest" goes by key position among the row's own support, so
that padding and windows do not count; lag = query position − key position.
"""

from typing import Any

from attnpipe.metrics.concentration import PerRow, excess_over_chance, ratio
from attnpipe.metrics.rows import Rows

SMALLEST_CONTRAST = 4
"""Supports below this have no newest and oldest quarter."""


def recent_mass(rows: Rows, k: int) -> PerRow:
    """Mass R_k of the k newest keys of the support, in [0, 1]; 1 where n ≤ k."""
    return _mass(rows, (rows.age <= k) & (rows.mask > 0))


def recent_excess(rows: Rows, k: int) -> PerRow:
    """(R_k − k/n)/(1 − k/n): 0 for the uniform row, ≤ 1, may be negative; undefined for n ≤ k."""
    return excess_over_chance(rows, recent_mass(rows, k), k)


def recency_contrast(rows: Rows) -> PerRow:
    """(R − D)/(R + D) of the newest and the oldest w = ⌊n/4⌋ keys, in [−1, 1].

    Undefined for n < 4, where newest and oldest have no quarter each, and for R + D = 0.
    """
    newest, oldest = _quarters(rows)
    return _where_quarters(rows, ratio(rows, newest - oldest, newest + oldest))


def recent_distant_ratio(rows: Rows) -> PerRow:
    """R/D of the newest and the oldest w = ⌊n/4⌋ keys, ≥ 0; undefined for n < 4 and for D = 0.

    Unbounded, so that single rows can rule its mean: `recency_contrast` is the same
    comparison without that fault.
    """
    newest, oldest = _quarters(rows)
    return _where_quarters(rows, ratio(rows, newest, oldest))


def lag_mean(rows: Rows) -> PerRow:
    """Mean lag μ = Σ p·(q − k), in positions."""
    return rows.xp.vecdot(rows.weights, rows.lag)


def lag_mean_ratio(rows: Rows) -> PerRow:
    """μ over the mean lag of the uniform row on the same support; undefined for n = 1.

    For causal rows 0 is the query itself and 1 is what uniform attention has. Also
    undefined where the uniform row's mean lag is 0. Where a support reaches into past
    and future that mean lag changes sign between queries: the ratio then says little.
    """
    uniform = ratio(rows, rows.xp.vecdot(rows.mask, rows.lag), rows.n)
    value = ratio(rows, lag_mean(rows), uniform)
    return rows.xp.where(rows.n > 1, value, rows.xp.nan)


def lag_spread(rows: Rows) -> PerRow:
    """Spread of the lag under the row, √Σ p·(q − k − μ)², in positions, ≥ 0."""
    xp = rows.xp
    deviation = rows.lag - lag_mean(rows)[..., None]
    return xp.sqrt(xp.vecdot(rows.weights, deviation * deviation))


def _mass(rows: Rows, keys: Any) -> PerRow:
    return rows.xp.vecdot(rows.weights, rows.xp.astype(keys, rows.xp.float64))


def _quarters(rows: Rows) -> tuple[PerRow, PerRow]:
    n = rows.n[..., None]
    width = rows.xp.floor(n / 4.0)
    seen = rows.mask > 0
    return _mass(rows, (rows.age <= width) & seen), _mass(rows, (rows.age > n - width) & seen)


def _where_quarters(rows: Rows, value: PerRow) -> PerRow:
    return rows.xp.where(rows.n >= SMALLEST_CONTRAST, value, rows.xp.nan)
