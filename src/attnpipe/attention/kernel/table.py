"""What an engine tells about each row, and every row metric from that."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from attnpipe.metrics.recency import SMALLEST_CONTRAST
from attnpipe.metrics.reduce import divide
from attnpipe.schema.analysis import MetricsSpec

FIXED = (
    "entropy",  # nats
    "unevenness",  # n·Σ p² − 1
    "ascending",  # Σ i·p₍ᵢ₎, p ascending, i from 1
    "largest",
    "second",
    "peak",  # index of the first key with the largest weight
    "offset",  # Σ p·(key − peak)
    "spread",  # √Σ p·(key − peak − offset)²
    "newest",  # mass of the ⌊n/4⌋ last keys
    "oldest",  # mass of the ⌊n/4⌋ first keys
    "share",  # of the whole row that these keys have: 1, or less where some are removed
    "prefix",  # mass of the keys of the prefix
    "prefix_entropy",  # nats, of the row made to sum to 1 there; 0 if it has no mass there
)
"""Columns of the table, the same as in `measure.h`."""


@dataclass(frozen=True)
class Layout:
    """Columns of the table: `FIXED`, then one per k of the top masses and of the recent ones."""

    options: MetricsSpec

    @cached_property
    def top(self) -> Int[np.ndarray, " k"]:
        """Every k of the top masses once, ascending."""
        return np.unique(np.array(self.options.top_k, np.int32))

    @cached_property
    def recent(self) -> Int[np.ndarray, " k"]:
        """Every k of the recent masses once, ascending."""
        return np.unique(np.array(self.options.recent_k, np.int32))

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(FIXED) + len(self.top) + len(self.recent)


@dataclass(frozen=True)
class Table:
    """Statistics of the rows of all heads of one sample.

    Attributes
    ----------
    layout
        Names of the columns.
    values
        NaN in rows that are no distribution or are not to be counted.
    first
        First key of each row.
    n
        Size of each row's support.
    oldest_lag
        Lag of each row's first key.
    uniform_lag
        Mean lag of each row's keys.
    """

    layout: Layout
    values: Float[np.ndarray, "head query column"]
    first: Int[np.ndarray, " query"]
    n: Float[np.ndarray, " query"]
    oldest_lag: Float[np.ndarray, " query"]
    uniform_lag: Float[np.ndarray, " query"]

    def __getitem__(self, name: str) -> Float[np.ndarray, "head query"]:
        """Return a column of `FIXED`."""
        return self._column(FIXED.index(name))

    def top(self, k: int) -> Float[np.ndarray, "head query"]:
        """Mass of the k largest weights."""
        place = int(np.searchsorted(self.layout.top, k))
        return self._column(len(FIXED) + place)

    def recent(self, k: int) -> Float[np.ndarray, "head query"]:
        """Mass of the k newest keys."""
        place = len(self.layout.top) + int(np.searchsorted(self.layout.recent, k))
        return self._column(len(FIXED) + place)

    @cached_property
    def peak_lag(self) -> Float[np.ndarray, "head query"]:
        """Lag of the first key with the largest weight."""
        lag: np.ndarray = self.oldest_lag - (self["peak"] - self.first)
        return lag

    def metrics(self) -> Iterator[Float[np.ndarray, "head query"]]:
        """Yield every metric in the order of `metrics.row_metrics`, NaN where undefined.

        The formulas are those of `metrics.concentration` and `metrics.recency`, which say
        where they come from.
        """
        n, options = self.n, self.layout.options
        several = _or_nan(np.maximum(n - 1.0, 0.0))
        log_n = np.log(np.maximum(n, 1.0))
        entropy, uneven = self["entropy"], self["unevenness"]
        yield entropy
        yield entropy / _or_nan(log_n)
        yield np.exp(entropy)
        yield n / (1.0 + uneven)
        yield log_n - entropy
        yield np.sqrt(uneven / several)
        yield np.maximum(2.0 * self["ascending"] - n - 1.0, 0.0) / several
        yield from (self.top(k) for k in options.top_k)
        yield from (self._excess(self.top(k), k) for k in options.top_k)
        yield from (self.recent(k) for k in options.recent_k)
        yield from (self._excess(self.recent(k), k) for k in options.recent_k)
        newest, oldest = self["newest"], self["oldest"]
        quarters = n >= SMALLEST_CONTRAST
        yield np.where(quarters, divide(newest - oldest, newest + oldest), np.nan)
        yield np.where(quarters, divide(newest, oldest), np.nan)
        lag = self.peak_lag - self["offset"]
        yield lag
        yield lag / np.where(n > 1, _or_nan(self.uniform_lag), np.nan)
        yield self["spread"]
        yield self["largest"]

    def _column(self, place: int) -> Float[np.ndarray, "head query"]:
        """Return a column in one piece: what is made of it reads it at the speed of the memory."""
        return np.ascontiguousarray(self.values[..., place])

    def _excess(
        self, mass: Float[np.ndarray, "head query"], k: int
    ) -> Float[np.ndarray, "head query"]:
        return np.asarray((self.n * mass - k) / _or_nan(np.maximum(self.n - k, 0.0)))


def _or_nan(denominator: Float[np.ndarray, " query"]) -> Float[np.ndarray, " query"]:
    """Return it with NaN, which quotients become, where it is 0."""
    return np.where(denominator != 0, denominator, np.nan)
