"""Which windows exist: those whose rows follow each other without a break."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True)
class Runs:
    """Runs of consecutive usable rows, told row by row.

    Attributes
    ----------
    start, stop
        First row of the row's run, and one past its last; an unusable row is a run of
        none (``start = stop =`` the row itself).
    """

    start: Int64[np.ndarray, " row"]
    stop: Int64[np.ndarray, " row"]

    @property
    def longest(self) -> int:
        """Rows of the longest run."""
        return int((self.stop - self.start).max(initial=0))


def find_runs(usable: Bool[np.ndarray, " row"], follows: Bool[np.ndarray, " row"]) -> Runs:
    """Cut rows into runs.

    Parameters
    ----------
    usable
        Whether a window may hold the row.
    follows
        Whether the row directly follows the one before it: same sequence, same split, no
        gap in time.
    """
    row = np.arange(len(usable))
    joined = np.zeros(len(usable) + 1, dtype=bool)
    joined[1:-1] = usable[1:] & usable[:-1] & follows[1:]
    start = np.maximum.accumulate(np.where(joined[:-1], 0, row))
    ends_here = np.where(joined[1:], len(usable), row + 1)
    stop = np.minimum.accumulate(ends_here[::-1])[::-1]
    return Runs(start.astype(np.int64), np.where(usable, stop, row).astype(np.int64))


def window_ends(runs: Runs, window: int, lead: int) -> Int64[np.ndarray, " window"]:
    """Return the last rows of all windows that lie, with their target, in one run.

    A window that ends at row e needs the rows ``e − window + 1 … e + lead``.
    """
    row = np.arange(len(runs.start))
    fits = (row - runs.start + 1 >= window) & (row + lead < runs.stop)
    return np.flatnonzero(fits).astype(np.int64)


def every(
    ends: Int64[np.ndarray, " window"], runs: Runs, window: int, stride: int
) -> Int64[np.ndarray, " kept"]:
    """Keep the first window of each run and every `stride`-th after it."""
    kept: np.ndarray = ends[(ends - runs.start[ends] - (window - 1)) % stride == 0]
    return kept


def targets(
    values: Float64[np.ndarray, " row"], runs: Runs, lead: int, increment: bool
) -> Float64[np.ndarray, " row"]:
    """Return what a window ending at each row shall forecast; NaN where there is nothing.

    ``y[e] = values[e + lead]``, less ``values[e]`` for an increment; row e + lead is in the
    run of row e.
    """
    row = np.arange(len(values))
    known = row + lead < runs.stop
    result = np.full(len(values), np.nan)
    result[known] = values[row[known] + lead]
    if increment:
        result[known] -= values[known]
    return result
