"""At which lag rows have their peak, counted only where the peak stands out."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows, to_numpy


class Peaks(RowFold):
    """Histogram over lag of resolved peaks, per head.

    A peak is resolved when the largest weight exceeds the second by more than
    ``peak_tolerance``: the argmax of a near-uniform row is noise. Rows with n = 1 have
    no choice and are not counted.
    """

    axes = ("head", "lag")
    sums: Mapping[str, int] = {"count": 2, "rows": 1}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        xp, heads_, keys = rows.xp, heads(rows), rows.weights.shape[-1]
        eligible = rows.valid & (rows.n > 1)
        ascending = rows.ascending
        second = ascending[..., -2] if keys > 1 else xp.zeros_like(ascending[..., -1])
        resolved = eligible & (ascending[..., -1] - second > self.options.peak_tolerance)
        key = rows.key_positions[to_numpy(xp.argmax(rows.weights, axis=-1))]
        lag = rows.query_positions - key
        chosen = to_numpy(resolved)
        lags, place = np.unique(lag[chosen], return_inverse=True)
        head = np.nonzero(chosen)[0]
        count = np.bincount(head * len(lags) + place, minlength=len(heads_) * len(lags))
        self.tally.add(
            (heads_, lags),
            count=count.reshape(len(heads_), len(lags)).astype(np.float64),
            rows=to_numpy(xp.sum(xp.astype(eligible, xp.float64), axis=(1, 2))),
        )

    @property
    def lags(self) -> Int[np.ndarray, " lag"]:
        """Lags at which a resolved peak occurred, ascending."""
        return self.tally.labels("lag")

    @property
    def count(self) -> Float[np.ndarray, "head lag"]:
        """Resolved peaks at each lag."""
        return self.tally["count"]

    @property
    def rows(self) -> Float[np.ndarray, " head"]:
        """Valid rows with n ≥ 2."""
        return self.tally["rows"]

    def mode(self, head: int) -> float:
        """Return the most frequent lag, the smallest of them if tied; NaN without a peak."""
        count = self.count[head]
        return float(self.lags[np.argmax(count)]) if count.sum() else np.nan

    def quantile(self, head: int, q: float) -> float:
        """Return a quantile of the lag, interpolated as `numpy.quantile`; NaN without a peak."""
        cumulative = np.cumsum(self.count[head])
        if not len(cumulative) or cumulative[-1] == 0:
            return np.nan
        place = q * (cumulative[-1] - 1)
        below, above = self.lags[
            np.searchsorted(cumulative, [np.floor(place), np.ceil(place)], side="right")
        ]
        return float(below + (above - below) * (place - np.floor(place)))
