"""What an engine adds up over the rows of one head of one sample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int32


@dataclass(frozen=True)
class Sums:
    """Filled by an engine block by block.

    Attributes
    ----------
    table
        See `table.Table`; NaN until a row is given.
    mass
        Weights by key.
    by_step
        Weights by key − query, at ``key − query + queries − 1``.
    prefix
        Weights by key on the first keys, of the rows in `compared`, each made to sum to 1
        there; a row with less than `sinks.LEAST_LEFT` of its mass there stays out.
    compared
        Which rows are to enter `prefix`.
    """

    table: Float[np.ndarray, "query column"]
    mass: Float[np.ndarray, " key"]
    by_step: Float[np.ndarray, " step"]
    prefix: Float[np.ndarray, " early"]
    compared: Bool[np.ndarray, " query"]

    @classmethod
    def empty(
        cls,
        columns: int,
        queries: int,
        keys: int,
        split: int = 0,
        compared: Bool[np.ndarray, " query"] | None = None,
    ) -> "Sums":
        """Return sums over no rows yet; `split` is the length of the prefix."""
        return cls(
            table=np.full((queries, columns), np.nan),
            mass=np.zeros(keys),
            by_step=np.zeros(queries + keys - 1),
            prefix=np.zeros(split),
            compared=np.zeros(queries, bool) if compared is None else compared,
        )


@dataclass(frozen=True)
class Totals:
    """What is added up over the rows of all heads of one sample, each in a place of its own.

    Attributes
    ----------
    mass, by_step, prefix
        As in `Sums`, which are parts of these.
    """

    mass: Float[np.ndarray, "head key"]
    by_step: Float[np.ndarray, "head step"]
    prefix: Float[np.ndarray, "head early"]

    @classmethod
    def empty(cls, heads: int, queries: int, keys: int, split: int = 0) -> "Totals":
        """Return sums over no rows yet; `split` is the length of the prefix."""
        return cls(
            mass=np.zeros((heads, keys)),
            by_step=np.zeros((heads, queries + keys - 1)),
            prefix=np.zeros((heads, split)),
        )

    def of(
        self,
        head: int,
        table: Float[np.ndarray, "query column"],
        compared: Bool[np.ndarray, " query"] | None = None,
    ) -> Sums:
        """Return what an engine is to fill for one head."""
        none = np.zeros(len(table), bool) if compared is None else compared
        return Sums(table, self.mass[head], self.by_step[head], self.prefix[head], none)


@dataclass(frozen=True)
class Rest:
    """The same rows without some keys, made to sum to 1 on the others.

    Attributes
    ----------
    removed
        Indices of the keys that are left out, ascending; at most `MOST_REMOVED`.
    sums
        Over rows with at least `sinks.LEAST_LEFT` of their mass on the others. The table has
        all rows.
    """

    removed: Int32[np.ndarray, " removed"]
    sums: Sums


MOST_REMOVED = 64


@dataclass(frozen=True)
class Uniform:
    """What uniform attention would give in the same rows: 1/n to each visible key.

    Attributes
    ----------
    mass, by_step
        As in `Sums`.
    """

    mass: Float[np.ndarray, " key"]
    by_step: Float[np.ndarray, " step"]


def uniform(
    first: Int[np.ndarray, " query"],
    last: Int[np.ndarray, " query"],
    keys: int,
    removed: Int[np.ndarray, " removed"] | None = None,
) -> Uniform:
    """Return the sums of uniform rows over ranges of keys; rows without keys add nothing.

    Parameters
    ----------
    first, last
        Each row sees the keys ``first … last − 1``.
    keys
        Number of keys.
    removed
        Keys that rows do not see although they lie in their range.
    """
    removed = np.zeros(0, np.int64) if removed is None else removed
    gone = (first[:, None] <= removed) & (removed < last[:, None])
    n, queries = last - first - gone.sum(axis=1), len(first)
    seen = (first < last) & (n > 0)
    first, last, gone, query = first[seen], last[seen], gone[seen], np.arange(queries)[seen]
    shift = queries - 1 - query
    share = 1.0 / n[seen]
    row, which = np.nonzero(gone)
    key = removed[which]
    return Uniform(
        _over_ranges(first, last, share, keys, key, share[row]),
        _over_ranges(
            first + shift, last + shift, share, queries + keys - 1, key + shift[row], share[row]
        ),
    )


def _over_ranges(
    first: Int[np.ndarray, " row"],
    last: Int[np.ndarray, " row"],
    value: Float[np.ndarray, " row"],
    length: int,
    gaps: Int[np.ndarray, " gap"],
    missing: Float[np.ndarray, " gap"],
) -> Float[np.ndarray, " place"]:
    """Return the sum of values over the ranges that cover each place; exactly 0 where none.

    What gaps miss is taken off at their places.
    """
    covered = _covering(first, last, None, length) - np.bincount(gaps, None, length)
    total = _covering(first, last, value, length) - np.bincount(gaps, missing, length)
    return np.where(covered > 0, total, 0.0)


def _covering(
    first: Int[np.ndarray, " row"],
    last: Int[np.ndarray, " row"],
    value: Float[np.ndarray, " row"] | None,
    length: int,
) -> np.ndarray:
    """Return the sum of values, or the number, of the ranges that cover each place."""
    starts = np.bincount(first, value, length + 1)
    ends = np.bincount(last, value, length + 1)
    return np.asarray(np.cumsum(starts - ends)[:length])
