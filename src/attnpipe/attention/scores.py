"""Score functions for `attend`: query-free pooling, additive, scaled dot product."""

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

    Chunks of samples are laid out as [sample, query, size, key] and worked on in place;
    the backward pass computes tanh again. About twice as fast as the plain formula, and
    its memory does not grow with the batch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        queries: Float[Tensor, "sample query size"],
        keys: Float[Tensor, "sample key size"],
        vector: Float[Tensor, " size"],
    ) -> Float[Tensor, "sample query key"]:
        keys = keys.transpose(1, 2)[:, None].contiguous()
        logits = queries.new_empty(*queries.shape[:2], keys.shape[-1])
        for part, tanh in _tanh_chunks(queries, keys):
            torch.matmul(vector, tanh, out=logits[part])
        ctx.save_for_backward(queries, keys, vector)
        return logits

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Float[Tensor, "sample query key"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, vector = ctx.saved_tensors
        by_query = torch.empty_like(queries)
        by_key = keys.new_empty(keys.shape[0], *keys.shape[2:])
        by_vector = torch.zeros_like(vector)
        for part, tanh in _tanh_chunks(queries, keys):
            g = gradient[part]
            by_vector += (tanh @ g[..., None]).sum((0, 1))[:, 0]
            slope = tanh.square_().neg_().add_(1.0).mul_(g[:, :, None])  # g (1 − tanh²)
            torch.sum(slope, 3, out=by_query[part])
            torch.sum(slope, 1, out=by_key[part])
        return by_query * vector, by_key.transpose(1, 2) * vector, by_vector


def _tanh_chunks(
    queries: Float[Tensor, "sample query size"], keys: Float[Tensor, "sample 1 size key"]
) -> Iterator[tuple[slice, Tensor]]:
    """Yield (slice of samples, tanh of all their pairs); the buffer is reused."""
    samples, n_queries, size = queries.shape
    pairs = n_queries * size * keys.shape[-1]
    step = max(1, min(samples, _CHUNK_ELEMENTS // max(1, pairs)))
    buffer = queries.new_empty(step, n_queries, size, keys.shape[-1])
    for start in range(0, samples, step):
        part = slice(start, min(start + step, samples))
        tanh = buffer[: part.stop - start]
        torch.add(queries[part][..., None], keys[part], out=tanh)
        yield part, tanh.tanh_()
