"""Weights of low precision against those in float64 of the same q and k."""

import numpy as np
import torch
from benchmarks.architectures import build
from benchmarks.comparing.folds import filled, sums
from benchmarks.comparing.observed import KeptScores, observe
from benchmarks.comparing.reading import Reading
from benchmarks.comparing.rows import difference, metrics
from torch import Tensor

from attnpipe.attention.adapter.scores import Scores
from attnpipe.core.block import Block


def exact_weights(scores: Scores, support: np.ndarray) -> Tensor:
    """Return softmax(cap(q·k · scale) + bias) in float64 by its definition.

    Parameters
    ----------
    scores
        What arrived.
    support
        bool ``[sample, query, key]``; rows that see nothing are 0.
    """
    groups = scores.q.shape[1] // scores.k.shape[1]
    keys = scores.k.double().repeat_interleave(groups, dim=1)
    logits = torch.einsum("shqd,shkd->shqk", scores.q.double(), keys) * scores.scale
    if scores.softcap is not None:
        logits = scores.softcap * torch.tanh(logits / scores.softcap)
    if scores.bias is not None:
        logits = logits + scores.bias.double()
    hidden = ~torch.from_numpy(support)[:, None]
    return logits.masked_fill(hidden, -torch.inf).softmax(-1).nan_to_num(0.0)


def of_dtype(reading: Reading, dtype: torch.dtype) -> float:
    """Return the largest difference to float64 metrics of the q and k of a model of a dtype.

    Of every metric of any row and, at self-attention, every sum of the folds of tokens.
    """
    kept = KeptScores()
    _, sites = observe(build(reading.name, dtype), reading.inputs, kept)
    worst = 0.0
    for site in sites:
        support = reading.support(site)
        exact = exact_weights(kept.scores[site.index], support)
        for block in kept.blocks[site.index]:
            where = block.query_positions, block.key_positions, block.samples
            want = Block(exact.transpose(0, 1), torch.from_numpy(support), *where)
            worst = max(worst, difference(metrics(block), metrics(want)))
            if site.kind == "self":
                seen = block.weights.transpose(0, 1)
                both = (sums(filled(reading, site, weights)) for weights in (seen, exact))
                worst = max(worst, difference(*both))
    return worst
