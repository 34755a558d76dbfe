"""What the rows of one sample see, as far as it does not depend on weights."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.sums import Uniform, uniform
from attnpipe.attention.kernel.table import Layout, Table
from attnpipe.metrics.reduce import divide


@dataclass(frozen=True)
class Seen:
    """The rows of one sample, as far as they do not depend on weights.

    Attributes
    ----------
    first, last
        Each row sees the keys ``first … last − 1``.
    counted
        Rows that are measured; the others are padding.
    query_positions, key_positions
        Absolute; those of keys are consecutive.
    removed
        Keys that rows do not see although they lie in their range, ascending.
    """

    first: Int[np.ndarray, " query"]
    last: Int[np.ndarray, " query"]
    counted: Bool[np.ndarray, " query"]
    query_positions: Int[np.ndarray, " query"]
    key_positions: Int[np.ndarray, " key"]
    removed: Int[np.ndarray, " removed"] = field(default_factory=lambda: np.zeros(0, np.int32))

    def uniform(self, valid: Bool[np.ndarray, " query"]) -> Uniform:
        """Return the sums of uniform rows over the valid ones."""
        last = np.where(valid, self.last, self.first)
        return uniform(self.first, last, len(self.key_positions), self.removed)

    @cached_property
    def gone(self) -> Bool[np.ndarray, "query removed"]:
        """Which of the removed keys lie in each row's range."""
        within = (self.first[:, None] <= self.removed) & (self.removed < self.last[:, None])
        return np.asarray(within & self.counted[:, None])

    @cached_property
    def n(self) -> Float[np.ndarray, " query"]:
        """Size of each row's support; 0 for padding."""
        n = np.where(self.counted, self.last - self.first, 0) - self.gone.sum(axis=1)
        return np.asarray(n, np.float64)

    def table(self, layout: Layout, values: Float[np.ndarray, "head query column"]) -> Table:
        """Return what an engine found in heads of the sample."""
        start = self.query_positions - self.key_positions[0]
        oldest = start - self.first
        middle = (self.last - self.first - 1.0) / 2.0
        lost = np.where(self.gone, start[:, None] - self.removed, 0).sum(axis=1)
        among = np.maximum(self.last - self.first, 0)
        mean = divide(among * (oldest - middle) - lost, self.n)
        return Table(layout, values, self.first, self.n, oldest.astype(np.float64), mean)
