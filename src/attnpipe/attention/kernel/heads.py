"""One head of one sample after the other: its scores, block by block, through an engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.attention.kernel.engine import Engine
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Rest, Sums

Look = Callable[[slice, int, Tensor], None]
"""``(rows, first key, weights [row, width])``: sees a block while it is in the cache."""


@dataclass(frozen=True)
class Head:
    """What the weights of one head of one sample are made from, in float32.

    Attributes
    ----------
    q
        Queries, scaled.
    k, v
        Keys and values.
    softcap
        Bound of the logits; None: no bound.
    """

    q: Float[Tensor, "query dim"]
    k: Float[Tensor, "key dim"]
    v: Float[Tensor, "key vdim"]
    softcap: float | None

    def logits(
        self, q: Float[Tensor, "row dim"], low: int, high: int, out: Float[Tensor, "row width"]
    ) -> Float[Tensor, "row width"]:
        """Return the logits of some queries for the keys ``low … high − 1``, in `out`."""
        return cap(torch.mm(q, self.k[low:high].T, out=out), self.softcap)


def cap(logits: Float[Tensor, "*shape"], softcap: float | None) -> Float[Tensor, "*shape"]:
    """Bound logits, in place."""
    if softcap is not None:
        logits.div_(softcap).tanh_().mul_(softcap)
    return logits


def heads_of(scores: Scores, sample: int) -> Iterator[Head]:
    """Yield the heads of one sample of a batch, by its place in the batch."""
    shared = scores.q.shape[1] // scores.k.shape[1]
    for head in range(scores.q.shape[1]):
        if head % shared == 0:
            own = (x[sample, head // shared] for x in (scores.k, scores.v))
            k, v = (x.float().contiguous() for x in own)  # laid out for many blocks of queries
        yield Head(scores.q[sample, head].float() * scores.scale, k, v, scores.softcap)


@dataclass(frozen=True)
class RowBlock:
    """Neighbouring rows, and what they see: the same in every head.

    Attributes
    ----------
    rows
        The rows.
    first, last, counted
        As in `Seen`.
    low, high
        They see keys of ``low … high − 1``; none if these are no keys.
    """

    rows: slice
    first: Int[np.ndarray, " row"]
    last: Int[np.ndarray, " row"]
    counted: Bool[np.ndarray, " row"]
    low: int
    high: int


def blocks_of(seen: Seen, size: int) -> list[RowBlock]:
    """Return the rows of a sample in blocks."""
    found = []
    for rows in row_blocks(len(seen.first), size):
        first, last, counted = seen.first[rows], seen.last[rows], seen.counted[rows]
        sees = first < last
        low, high = (int(first[sees].min()), int(last[sees].max())) if sees.any() else (0, 0)
        found.append(RowBlock(rows, first, last, counted, low, high))
    return found


def read(
    engine: Engine,
    head: Head,
    blocks: Sequence[RowBlock],
    buffer: Float[Tensor, " _"],
    context: Float[Tensor, "query vdim"],
    sums: Sums,
    rest: Rest | None = None,
    look: Look | None = None,
) -> None:
    """Fill the output of a head and what is added up over its rows.

    Parameters
    ----------
    engine
        What turns scores into weights.
    head
        The head.
    blocks
        Its rows, at most `engine.block_rows` in each.
    buffer
        Room for a block of scores; overwritten.
    context
        The output; overwritten.
    sums, rest
        See `engine.Engine`.
    look
        Is shown the weights of each block.
    """
    for block in blocks:
        rows, low, high = block.rows, block.low, block.high
        if low == high:
            context[rows] = 0.0
            continue
        shape = (len(block.first), high - low)
        weights = head.logits(head.q[rows], low, high, buffer[: shape[0] * shape[1]].view(shape))
        engine.rows(
            weights, block.first, block.last, block.counted,
            low=low, query=rows.start, sums=sums, rest=rest,
        )  # fmt: skip
        if look is not None:
            look(rows, low, weights)
        torch.mm(weights, head.v[low:high], out=context[rows])
