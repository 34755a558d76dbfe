"""How alike the heads of a layer are."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import heads
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.distance import pairwise
from attnpipe.metrics.tokens.fold import TokenFold
from attnpipe.metrics.tokens.select import part
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

ROWS = 64
"""Rows of a text that are compared: all of a text up to this length."""


class HeadDistances(TokenFold):
    """Mean √(JSD/ln 2) between the same rows of every two heads, per sample.

    Each pair of heads costs a logarithm per weight, far more than all other sums, so
    of a long text evenly spaced rows are compared, counted from the last
    (`benchmarks/head_rows.py` measures what that changes, `docs/methods.md` says it).

    Parameters
    ----------
    options, texts
        As for every fold of tokens.
    rows
        Most rows compared of a text.
    """

    axes = ("head", "other", "sample")
    sums: Mapping[str, int] = {"distance": 3, "count": 3}
    settings = ("rows",)

    def __init__(self, options: MetricsSpec, texts: Texts, rows: int = ROWS) -> None:
        super().__init__(options, texts)
        self.rows = rows

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        length = len(self.texts[int(rows.samples[0])].ids)
        chosen = part(rows, queries=spaced(rows.query_positions, length, self.rows))
        distance, count = pairwise(rows.xp, chosen.weights, chosen.valid)
        self.tally.add(
            (heads(rows), heads(rows), rows.samples),
            distance=to_numpy(distance),
            count=to_numpy(count),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def count(self) -> Float[np.ndarray, "head head sample"]:
        """Rows compared: those valid in both heads."""
        return self.tally["count"]

    def mean(self) -> Float[np.ndarray, "head head sample"]:
        """Return the mean distance, in [0, 1]; NaN where no row was compared."""
        return divide(self.tally["distance"], self.tally["count"])


def spaced(
    queries: Int[np.ndarray, " query"], length: int, most: int
) -> Int[np.ndarray, " chosen"]:
    """Return which queries are among at most `most` evenly spaced ones, the last included."""
    step = -(-length // most)
    return np.flatnonzero((length - 1 - queries) % step == 0)
