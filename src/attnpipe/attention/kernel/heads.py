"""One head of one sample after the other: its scores, block by block, through an engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
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
        torch.mm(q, self.k[low:high].T, out=out)
        if self.softcap is not None:
            out.div_(self.softcap).tanh_().mul_(self.softcap)
        return out


def heads_of(scores: Scores, sample: int, *, packed: bool = True) -> Iterator[Head]:
    """Yield the heads of one sample of a batch, by its place in the batch.

    `packed`: keys and values are laid out for many blocks of queries.
    """
    shared = scores.q.shape[1] // scores.k.shape[1]
    for head in range(scores.q.shape[1]):
        if head % shared == 0:
            k, v = (x[sample, head // shared].float() for x in (scores.k, scores.v))
            if packed:
                k, v = k.contiguous(), v.contiguous()
        yield Head(scores.q[sample, head].float() * scores.scale, k, v, scores.softcap)


def read(
    engine: Engine,
    head: Head,
    seen: Seen,
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
    seen
        What its rows see.
    buffer
        Room for a block of scores; overwritten.
    context
        The output; overwritten.
    sums, rest
        See `engine.Engine`.
    look
        Is shown the weights of each block.
    """
    for rows in row_blocks(len(head.q), engine.block_rows):
        first, last, counted = seen.first[rows], seen.last[rows], seen.counted[rows]
        sees = first < last
        if not sees.any():
            context[rows] = 0.0
            continue
        low, high = int(first[sees].min()), int(last[sees].max())
        shape = (len(first), high - low)
        weights = head.logits(head.q[rows], low, high, buffer[: shape[0] * shape[1]].view(shape))
        engine.rows(weights, first, last, counted, low=low, query=rows.start, sums=sums, rest=rest)
        if look is not None:
            look(rows, low, weights)
        torch.mm(weights, head.v[low:high], out=context[rows])
