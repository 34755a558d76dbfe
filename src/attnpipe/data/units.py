"""What statistics count beside the seed: blocks of test time, or sequences."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from attnpipe.data.limits import refuse_unfilled_unit


@dataclass(frozen=True)
class Units:
    """Test windows grouped into units.

    Attributes
    ----------
    keep
        Whether a test window belongs to a unit; the others are left out of the test.
    unit
        Unit of each *kept* window, from 0, in order of first appearance.
    first
        First row (a window's last row) of each unit.
    """

    keep: Bool[np.ndarray, " window"]
    unit: Int64[np.ndarray, " kept"]
    first: Int64[np.ndarray, " unit"]


def group(
    ends: Int64[np.ndarray, " window"],
    sequence: Int64[np.ndarray, " window"],
    block_rows: int | None,
    stride: int,
    *,
    by_time: bool = False,
) -> Units:
    """Group test windows by sequence, and within it into blocks that do not overlap.

    Parameters
    ----------
    ends
        Last rows of the test windows, ascending.
    sequence
        Sequence of each window.
    block_rows
        Rows in a block, counted from the sequence's first test window; None: the whole
        sequence is one unit.
    stride
        Rows between test windows.
    by_time
        Whether there is one series, split by time.

    Raises
    ------
    UserError
        When no sequence fills half a block.

    Notes
    -----
    The last block of a sequence is left out if less than half of it is covered: its mean
    would count as much as that of a full one.
    """
    _, inverse = np.unique(sequence, return_inverse=True)
    opening = np.full(inverse.max() + 1, np.iinfo(np.int64).max)
    closing = np.zeros(inverse.max() + 1, dtype=np.int64)
    np.minimum.at(opening, inverse, ends)
    np.maximum.at(closing, inverse, ends)
    if block_rows is None:
        block, start = np.zeros_like(ends), opening[inverse]
        keep = np.ones(len(ends), dtype=bool)
    else:
        block = (ends - opening[inverse]) // block_rows
        start = opening[inverse] + block * block_rows
        covered = np.minimum(closing[inverse] + stride - start, block_rows)
        keep = covered * 2 >= block_rows
    if not keep.any():
        assert block_rows is not None  # else all are kept
        longest = int((closing - opening).max()) + stride
        refuse_unfilled_unit(longest, block_rows, by_time=by_time)
    pairs = np.stack([inverse[keep], block[keep]], axis=1)
    _, first, unit = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Units(keep, rank[unit.reshape(-1)].astype(np.int64), start[keep][first[order]])
