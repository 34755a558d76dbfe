"""How far apart the heads of a layer are on one text, without holding its weights."""

import numpy as np
import torch
from jaxtyping import Bool, Int

from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.kernel.engine import Engine
from attnpipe.attention.kernel.heads import cap
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.text_record import Far

_ELEMENTS = 2**19  # weights of all heads that are held at a time: they stay in the cache


def distances(
    engine: Engine,
    scores: Scores,
    sample: int,
    seen: Seen,
    removed: Int[np.ndarray, " removed"],
    valid: Bool[np.ndarray, "head query"],
    rest_valid: Bool[np.ndarray, "head query"],
    chosen: Int[np.ndarray, " chosen"],
) -> tuple[Far, Far]:
    """Return distances between all heads, of rows as they are and without some keys.

    Parameters
    ----------
    engine
        What turns scores into weights.
    scores
        The layer.
    sample
        Place of the text in the batch.
    seen
        What its rows see.
    removed
        Keys that are taken out for the second.
    valid, rest_valid
        Rows that count, for each.
    chosen
        Rows that are compared.
    """
    heads, keys = scores.q.shape[1], scores.k.shape[2]
    counts = [own[:, chosen].astype(np.float64) for own in (valid, rest_valid)]
    totals = [np.zeros((heads, heads)) for _ in counts]
    q = scores.q[sample][:, torch.from_numpy(chosen)].float() * scores.scale
    k = scores.k[sample].float()
    gone = torch.from_numpy(removed.astype(np.int64))
    done = 0
    steps = min(len(chosen), -(-len(chosen) * heads * keys // _ELEMENTS))
    for rows in np.array_split(chosen, max(1, steps)):
        high = max(1, int(seen.last[rows].max()))
        weights = torch.empty(heads, len(rows), high)
        own = q[:, done : done + len(rows)].reshape(len(k), -1, q.shape[-1])
        torch.bmm(own, k[:, :high].mT, out=weights.view(len(k), -1, high))
        cap(weights, scores.softcap)
        done += len(rows)
        begin, end = (np.tile(bound[rows], heads) for bound in (seen.first, seen.last))
        engine.rows(
            weights.flatten(0, 1), begin, end, np.zeros(len(begin), bool),
            low=0, query=0, sums=Sums.empty(0, len(begin), high),
        )  # fmt: skip
        totals[0] += engine.distances(weights, valid[:, rows])
        if len(gone):
            weights[..., gone[gone < high]] = 0.0
            left = weights.sum(-1, keepdim=True)
            weights.div_(torch.where(left > 0, left, 1.0))
            totals[1] += engine.distances(weights, rest_valid[:, rows])
    if not len(gone):
        totals[1] = totals[0]
    first, second = (
        Far(total, count @ count.T) for total, count in zip(totals, counts, strict=True)
    )
    return first, second
