"""Which keys each query sees, where that is a range of neighbours."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int32
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores, row_blocks

_HIDDEN = -1e9  # as in `adapter.scores`
_ELEMENTS = 2**22  # of a mask, looked at in one go

Bounds = tuple[Int32[np.ndarray, "_ query"], Int32[np.ndarray, "_ query"]]


@dataclass(frozen=True)
class Ranges:
    """Each query row sees the keys ``first … last − 1``; none if these are no keys.

    Attributes
    ----------
    first, last
        Indices of keys. The sample axis has size 1 where samples agree.
    counted
        Rows to be measured; the others are padding.
    """

    first: Int32[np.ndarray, "_ query"]
    last: Int32[np.ndarray, "_ query"]
    counted: Bool[np.ndarray, "_ query"]


def ranges(scores: Scores) -> Ranges | None:
    """Return the ranges of keys that queries see; None: they are no ranges, or not as expected.

    None stands for every case that needs a look at single weights: gaps in a mask, masks
    that differ between heads or that add numbers to visible keys, and rows that see more
    than they should, or nothing where they should see something.
    """
    seen = _seen(scores)
    expected = _expected(scores)
    if seen is None or expected is None:
        return None
    (first, last), (low, high) = seen, expected
    sees, should = first < last, low < high
    counted = sees  # a query that sees nothing is padding, unless it is declared to be none
    if scores.real_queries is not None:
        counted = (sees | should) & scores.real_queries.numpy()
    if np.any(counted & ~(sees & (low <= first) & (last <= high))):
        return None
    shape = np.broadcast_shapes(first.shape, counted.shape)
    return Ranges(
        *(np.ascontiguousarray(np.broadcast_to(x, shape)) for x in (first, last, counted))
    )


def _seen(scores: Scores) -> Bounds | None:
    """Return the bounds of what acts."""
    queries, keys = scores.q.shape[2], scores.k.shape[2]
    if scores.mask is None:
        last = np.full((1, queries), keys, np.int32)
        if scores.causal:
            last[0] = np.minimum(np.arange(1, queries + 1), keys)
        return np.zeros_like(last), last
    if scores.mask.shape[1] != 1:
        return None
    mask = scores.mask[:, 0]
    step = max(1, _ELEMENTS // max(1, len(mask) * keys))
    parts = [_bounds(mask[:, rows]) for rows in row_blocks(mask.shape[1], step)]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    first, last = (np.concatenate(bounds, axis=1) for bounds in zip(*found, strict=True))
    shape = (len(mask), queries)
    return np.broadcast_to(first, shape), np.broadcast_to(last, shape)


def _bounds(mask: Tensor) -> Bounds | None:
    """Return the bounds of some rows of a mask; None if it has gaps or adds numbers."""
    visible = mask
    if mask.dtype != torch.bool:
        visible = mask > max(_HIDDEN, torch.finfo(mask.dtype).min / 2)
        # A row that sees nothing acts by what is added to it, finite as it may be.
        if not bool((mask.masked_fill(~visible, 0) == 0).all() & visible.any(-1).all()):
            return None
    count = visible.sum(-1)
    first = visible.to(torch.uint8).argmax(-1)
    place = torch.arange(mask.shape[-1], device=mask.device)
    inside = (place >= first[..., None]) & (place < (first + count)[..., None])
    if not bool((visible == inside).all()):
        return None
    return first.to(torch.int32).numpy(), (first + count).to(torch.int32).numpy()


def _expected(scores: Scores) -> Bounds | None:
    """Return the bounds of what should be seen, by what the model declares."""
    at, of = scores.query_positions.numpy(), scores.key_positions.numpy()
    if np.any(np.diff(of) != 1) or len(of) == 0:
        return None
    start, window = int(of[0]), scores.expected.window
    low: np.ndarray = np.zeros(len(at), np.int64)
    high: np.ndarray = np.full(len(at), len(of))
    if window is not None:
        low, high = at - start - window + 1, at - start + window
    if scores.expected.causal:
        high = np.minimum(high, at - start + 1)
    low, high = low[None], high[None]
    if scores.real_keys is not None:
        real = _bounds(scores.real_keys[:, None])
        if real is None:
            return None
        low, high = np.maximum(low, real[0]), np.minimum(high, real[1])
    low, high = (np.clip(bound, 0, len(of)) for bound in (low, high))
    return low.astype(np.int32), high.astype(np.int32)
