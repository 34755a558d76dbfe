"""At which lag rows have their peak, text by text."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.peaks import mode, quantile, resolved_peaks
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import Rows


class SamplePeaks(RowFold):
    """Histogram over lag of resolved peaks, per head and text.

    Which peaks count is defined as for `metrics.peaks.Peaks`.
    """

    axes = ("head", "sample", "lag")
    sums: Mapping[str, int] = {"count": 3, "rows": 2}
    counts = ("count",)

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        eligible, resolved, lag = resolved_peaks(rows, self.options.peak_tolerance)
        lags, place = np.unique(lag[resolved], return_inverse=True)
        head, sample, _ = np.nonzero(resolved)
        shape = (*resolved.shape[:2], len(lags))
        cell = np.ravel_multi_index((head, sample, place), shape) if len(lags) else place
        count = np.bincount(cell, minlength=int(np.prod(shape)))
        self.tally.add(
            (heads(rows), rows.samples, lags),
            count=count.reshape(shape).astype(np.float64),
            rows=eligible.sum(axis=-1).astype(np.float64),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Texts seen, ascending."""
        return self.tally.labels("sample")

    @property
    def lags(self) -> Int[np.ndarray, " lag"]:
        """Lags at which a resolved peak occurred in any text, ascending."""
        return self.tally.labels("lag")

    @property
    def count(self) -> Float[np.ndarray, "head sample lag"]:
        """Resolved peaks at each lag."""
        return self.tally["count"].astype(np.float64)

    @property
    def rows(self) -> Float[np.ndarray, "head sample"]:
        """Valid rows with n ≥ 2."""
        return self.tally["rows"]

    @property
    def resolved(self) -> Float[np.ndarray, "head sample"]:
        """Rows whose peak is resolved."""
        resolved: np.ndarray = self.count.sum(axis=-1)
        return resolved

    @property
    def share(self) -> Float[np.ndarray, "head sample"]:
        """Resolved peaks over rows, in [0, 1]; NaN without rows."""
        return divide(self.resolved, self.rows)

    def mode(self) -> Float[np.ndarray, "head sample"]:
        """Return the most frequent lag, the smallest of them if tied; NaN without a peak."""
        return mode(self.lags, self.count)

    def quantile(self, q: float) -> Float[np.ndarray, "head sample"]:
        """Return a quantile of the lag, interpolated as `numpy.quantile`; NaN without a peak."""
        return quantile(self.lags, self.count, q)
