"""How many rows are valid, and why the others are not."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from attnpipe.metrics.row_fold import RowFold, heads
from attnpipe.metrics.rows import REASONS, Rows, to_numpy


class RowValidity(RowFold):
    """Counts of valid rows and of the others by reason, per head.

    Padding is expected and no fault; any other reason is one. Each row is counted
    under the first reason that applies, in the order of `REASONS`.
    """

    axes = ("head", "reason")
    sums: Mapping[str, int] = {"count": 2}

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        reason = to_numpy(rows.reason)
        codes = np.arange(len(REASONS) + 1)
        count = np.stack([np.sum(reason == code, axis=(1, 2)) for code in codes], axis=-1)
        self.tally.add((heads(rows), codes), count=count.astype(np.float64))

    @property
    def valid(self) -> Int[np.ndarray, " head"]:
        """Valid rows."""
        return self._count(0)

    @property
    def total(self) -> Int[np.ndarray, " head"]:
        """Rows seen, padding included."""
        total: np.ndarray = self.tally["count"].sum(axis=-1)
        return total.astype(np.int64)

    def excluded(self, reason: str) -> Int[np.ndarray, " head"]:
        """Rows left out for one of `REASONS`."""
        return self._count(1 + REASONS.index(reason))

    def _count(self, code: int) -> Int[np.ndarray, " head"]:
        return self.tally["count"][:, code].astype(np.int64)
