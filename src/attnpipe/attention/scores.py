"""Score functions for `attend`: query-free pooling, additive, scaled dot product."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from attnpipe.attention.attend import ScoreBlock

_CHUNK_ELEMENTS = 2**18  # 1 MB of float32: stays in the cache between its passes


def pooling_scores(scores: Float[Tensor, "sample key"]) -> ScoreBlock:
    """Return the score block of query-free attention: one row, ``logit_k = scores_k``."""
    logits = scores[:, None, None, :]
    return lambda rows: logits[:, :, rows]


def scaled_dot_scores(
    queries: Float[Tensor, "sample head query dim"],
    keys: Float[Tensor, "sample head key dim"],
    scale: float | None = None,
) -> ScoreBlock:
    """Return the score block of ``q·k · scale``; scale defaults to ``1/√dim``.

    Vaswani et al. (2017), Attention is all you need, eq. 1.
    """
    factor = queries.shape[-1] ** -0.5 if scale is None else scale
    transposed = keys.transpose(-1, -2)
    return lambda rows: queries[:, :, rows] @ transposed * factor


def additive_scores(
    queries: Float[Tensor, "sample query size"],
    keys: Float[Tensor, "sample key size"],
    vector: Float[Tensor, " size"],
) -> ScoreBlock:
    """Return the score block of ``v·tanh(q + k)`` for all pairs, one head.

    Bahdanau, Cho and Bengio (2015), appendix A.1.2, with `queries` and `keys` already
    projected.
    """

    def score_block(rows: slice) -> Tensor:
        logits: Tensor = _Additive.apply(queries[:, rows], keys, vector)
        return logits[:, None]

    return score_block


class _Additive(torch.autograd.Function):
    """``v·tanh(q + k)`` without ever holding tanh of all pairs of all samples.

    ``tanh x = 2 σ(2x) − 1``: torch's sigmoid takes a quarter of the time of its tanh. Chunks of
    samples are laid out as [sample, size, query, key], so that keys are contiguous, and worked
    on in place; the backward pass computes σ again. Memory does not grow with the batch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        queries: Float[Tensor, "sample query size"],
        keys: Float[Tensor, "sample key size"],
        vector: Float[Tensor, " size"],
    ) -> Float[Tensor, "sample query key"]:
        queries = 2 * queries.transpose(1, 2).contiguous()
        keys = 2 * keys.transpose(1, 2).contiguous()
        logits = queries.new_empty(len(queries), queries.shape[2], keys.shape[2])
        for part, sigmoid in _sigmoid_chunks(queries, keys):
            torch.matmul(2 * vector, sigmoid.flatten(2), out=logits[part].flatten(1))
        ctx.save_for_backward(queries, keys, vector)
        return logits - vector.sum()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Float[Tensor, "sample query key"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, vector = ctx.saved_tensors
        by_query, by_key = torch.empty_like(queries), torch.empty_like(keys)
        by_vector = -gradient.sum().expand_as(vector).clone()
        for part, sigmoid in _sigmoid_chunks(queries, keys):
            g = gradient[part]
            by_vector += 2 * (sigmoid.flatten(2) @ g.flatten(1)[..., None]).sum((0, 2))
            slope = sigmoid.addcmul_(sigmoid, sigmoid, value=-1.0).mul_(g[:, None])  # g σ (1 − σ)
            torch.sum(slope, 3, out=by_query[part])
            torch.sum(slope, 2, out=by_key[part])
        by_query, by_key = by_query.transpose(1, 2), by_key.transpose(1, 2)
        return by_query * (4 * vector), by_key * (4 * vector), by_vector


def _sigmoid_chunks(
    queries: Float[Tensor, "sample size query"], keys: Float[Tensor, "sample size key"]
) -> Iterator[tuple[slice, Tensor]]:
    """Yield (slice of samples, σ(q + k) of all their pairs); the buffer is reused."""
    samples, size, n_queries = queries.shape
    shape = (size, n_queries, keys.shape[2])
    step = max(1, min(samples, _CHUNK_ELEMENTS // max(1, math.prod(shape))))
    buffer = queries.new_empty(step, *shape)
    for start in range(0, samples, step):
        part = slice(start, min(start + step, samples))
        sums = buffer[: part.stop - start]
        torch.add(queries[part][..., None], keys[part][:, :, None], out=sums)
        yield part, sums.sigmoid_()
