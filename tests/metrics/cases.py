"""Blocks of random attention rows on every kind of support."""

import numpy as np
import torch

from attnpipe.core.block import Block

KINDS = ("full", "one_query", "causal", "window", "padded", "gaps")


def make_block(
    kind: str,
    *,
    heads: int = 2,
    samples: int = 3,
    keys: int = 7,
    sharpness: float = 2.0,
    seed: int = 0,
) -> Block:
    """Random rows on a support of the given kind; positions start at 10."""
    rng = np.random.default_rng(seed)
    queries = 1 if kind == "one_query" else keys
    key_positions = 10 + np.arange(keys)
    query_positions = key_positions[-queries:]
    lag = query_positions[:, None] - key_positions[None, :]
    support = {
        "full": np.ones((1, 1, keys), bool),
        "one_query": np.ones((1, 1, keys), bool),
        "causal": (lag >= 0)[None],
        "window": ((lag >= 0) & (lag < 3))[None],
        "padded": _padded(lag, samples),
        "gaps": rng.random((samples, queries, keys)) < 0.7,
    }[kind]
    shape = (heads, samples, queries, keys)
    weights = np.exp(sharpness * rng.standard_normal(shape)) * support[None]
    total = weights.sum(axis=-1, keepdims=True)
    weights = np.divide(weights, total, out=weights, where=total > 0)
    return Block(weights, support, query_positions, key_positions, np.arange(samples))


def _padded(lag: np.ndarray, samples: int) -> np.ndarray:
    """Left padding: sample i lacks its first i keys, as keys and as queries."""
    index = np.arange(lag.shape[1])
    real = index[None, :] >= np.arange(samples)[:, None]
    return (lag >= 0)[None] & real[:, None, :] & real[:, :, None]


def one_row(weights: list[float], support: list[bool] | None = None) -> Block:
    """One row; the query stands at the newest key."""
    p = np.array(weights, np.float64)[None, None, None]
    seen = np.ones(p.shape[1:], bool) if support is None else np.array(support)[None, None]
    positions = np.arange(p.shape[-1])
    return Block(p, seen, positions[-1:], positions, np.zeros(1, np.int64))


def as_torch(block: Block) -> Block:
    """The same block in torch tensors."""
    return Block(*(torch.tensor(getattr(block, name)) for name in FIELDS))


def part(block: Block, samples: slice = slice(None), queries: slice = slice(None)) -> Block:
    """Some samples and queries of a block."""
    support = np.broadcast_to(block.support, block.weights.shape[1:])
    return Block(
        block.weights[:, samples, queries],
        support[samples, queries],
        block.query_positions[queries],
        block.key_positions,
        block.samples[samples],
    )


FIELDS = ("weights", "support", "query_positions", "key_positions", "samples")
