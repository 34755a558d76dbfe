"""At which lag rows have their peak, counted only where the peak stands out."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows, to_numpy

Lags = Int[np.ndarray, " lag"]
Counts = Float[np.ndarray, "*groups lag"]
PerRow = tuple[
    Bool[np.ndarray, "head sample query"],
    Bool[np.ndarray, "head sample query"],
    Int[np.ndarray, "head sample query"],
]


class Peaks(RowFold):
    """Histogram over lag of resolved peaks, per head.

    A peak is resolved when the largest weight exceeds the second by more than
    ``peak_tolerance``: the argmax of a near-uniform row is noise. Rows with n = 1 have
    no choice and are not counted.
    """

    axes = ("head", "lag")
    sums: Mapping[str, int] = {"count": 2, "rows": 1}
    counts = ("count",)

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        eligible, resolved, lag = resolved_peaks(rows, self.options.peak_tolerance)
        lags, place = np.unique(lag[resolved], return_inverse=True)
        shape = (len(eligible), len(lags))
        cell = np.nonzero(resolved)[0] * len(lags) + place
        count = np.bincount(cell, minlength=int(np.prod(shape)))
        self.tally.add(
            (heads(rows), lags),
            count=count.reshape(shape).astype(np.float64),
            rows=eligible.sum(axis=(1, 2)).astype(np.float64),
        )

    @property
    def lags(self) -> Lags:
        """Lags at which a resolved peak occurred, ascending."""
        return self.tally.labels("lag")

    @property
    def count(self) -> Float[np.ndarray, "head lag"]:
        """Resolved peaks at each lag."""
        return self.tally["count"].astype(np.float64)

    @property
    def rows(self) -> Float[np.ndarray, " head"]:
        """Valid rows with n ≥ 2."""
        return self.tally["rows"]

    def mode(self, head: int) -> float:
        """Return the most frequent lag, the smallest of them if tied; NaN without a peak."""
        return float(mode(self.lags, self.count[head]))

    def quantile(self, head: int, q: float) -> float:
        """Return a quantile of the lag, interpolated as `numpy.quantile`; NaN without a peak."""
        return float(quantile(self.lags, self.count[head], q))


def resolved_peaks(rows: Rows, tolerance: float) -> PerRow:
    """Return which rows could have a peak, which have a resolved one, and its lag.

    The lag of the first key with the largest weight; it says nothing where that is not resolved.
    """
    xp, keys = rows.xp, rows.weights.shape[-1]
    eligible = rows.valid & (rows.n > 1)
    ascending = rows.ascending
    second = ascending[..., -2] if keys > 1 else xp.zeros_like(ascending[..., -1])
    resolved = eligible & (ascending[..., -1] - second > tolerance)
    key = rows.key_positions[to_numpy(xp.argmax(rows.weights, axis=-1))]
    return to_numpy(eligible), to_numpy(resolved), rows.query_positions - key


def mode(lags: Lags, count: Counts) -> Float[np.ndarray, "*groups"]:
    """Return the most frequent lag of each group, the smallest if tied; NaN without any."""
    if not len(lags):
        return np.full(count.shape[:-1], np.nan)
    found = lags[count.argmax(axis=-1)].astype(np.float64)
    return np.where(count.sum(axis=-1) > 0, found, np.nan)


def quantile(lags: Lags, count: Counts, q: float) -> Float[np.ndarray, "*groups"]:
    """Return a quantile of each group's lags, interpolated as `numpy.quantile`; NaN without any.

    Parameters
    ----------
    lags
        Ascending.
    count
        How often each occurs.
    q
        In [0, 1].
    """
    if not len(lags):
        return np.full(count.shape[:-1], np.nan)
    cumulative = np.cumsum(count, axis=-1)
    total = cumulative[..., -1]
    place = np.maximum(q * (total - 1), 0.0)
    below, above = (
        lags[np.minimum((cumulative <= end[..., None]).sum(axis=-1), len(lags) - 1)]
        for end in (np.floor(place), np.ceil(place))
    )
    between = below + (above - below) * (place - np.floor(place))
    return np.where(total > 0, between, np.nan)
