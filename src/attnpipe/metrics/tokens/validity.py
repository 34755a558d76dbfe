"""How many rows of each sample are valid, and why the others are not."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import REASONS, Rows, to_numpy


class SampleValidity(RowFold):
    """Counts of valid rows and of the others by reason, per head and sample.

    As `attnpipe.metrics.validity.RowValidity`, for studies in which a text is the unit.
    """

    axes = ("head", "sample", "reason")
    sums: Mapping[str, int] = {"count": 3}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        reason = to_numpy(rows.reason)
        codes = np.arange(len(REASONS) + 1)
        count = np.stack([np.sum(reason == code, axis=-1) for code in codes], axis=-1)
        self.tally.add((heads(rows), rows.samples, codes), count=count.astype(np.float64))

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def total(self) -> Float[np.ndarray, "head sample"]:
        """Rows seen, padding included."""
        total: np.ndarray = self.tally["count"].sum(axis=-1)
        return total

    @property
    def valid(self) -> Float[np.ndarray, "head sample"]:
        """Valid rows."""
        return self.tally["count"][..., 0]

    def excluded(self, reason: str) -> Float[np.ndarray, "head sample"]:
        """Rows left out for one of `REASONS`."""
        return self.tally["count"][..., 1 + REASONS.index(reason)]
