"""How far apart the heads of a layer are on one text, without holding its weights."""

import numpy as np
import torch
from jaxtyping import Bool, Int

from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.kernel.engine import Engine
from attnpipe.attention.kernel.heads import heads_of
from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.text_record import Far

_ELEMENTS = 2**17  # weights of all heads that are held at a time: they stay in the cache


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
    alike = list(heads_of(scores, sample, packed=False))
    step = max(1, _ELEMENTS // (heads * keys))
    gone = torch.from_numpy(removed.astype(np.int64))
    for start in range(0, len(chosen), step):
        rows = chosen[start : start + step]
        high = max(1, int(seen.last[rows].max()))
        weights = torch.empty(heads, len(rows), high)
        nowhere = Sums.empty(0, len(rows), high)
        for number, head in enumerate(alike):
            head.logits(head.q[torch.from_numpy(rows)], 0, high, weights[number])
            engine.rows(
                weights[number], seen.first[rows], seen.last[rows], np.zeros(len(rows), bool),
                low=0, query=0, sums=nowhere,
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
