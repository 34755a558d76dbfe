"""What an engine adds up over the rows of one head of one sample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


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
    """

    table: Float[np.ndarray, "query column"]
    mass: Float[np.ndarray, " key"]
    by_step: Float[np.ndarray, " step"]


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
    first: Int[np.ndarray, " query"], last: Int[np.ndarray, " query"], keys: int
) -> Uniform:
    """Return the sums of uniform rows over ranges of keys; rows without keys add nothing."""
    queries = len(first)
    seen = first < last
    first, last, query = first[seen], last[seen], np.arange(queries)[seen]
    shift = queries - 1 - query
    share = 1.0 / (last - first)
    return Uniform(
        _over_ranges(first, last, share, keys),
        _over_ranges(first + shift, last + shift, share, queries + keys - 1),
    )


def _over_ranges(
    first: Int[np.ndarray, " row"],
    last: Int[np.ndarray, " row"],
    value: Float[np.ndarray, " row"],
    length: int,
) -> Float[np.ndarray, " place"]:
    """Return the sum of values over the ranges that cover each place; exactly 0 where none."""

    def covering(weights: np.ndarray | None) -> np.ndarray:
        starts = np.bincount(first, weights, length + 1)
        ends = np.bincount(last, weights, length + 1)
        return np.cumsum(starts - ends)[:length]

    return np.where(covering(None) > 0, covering(value), 0.0)
