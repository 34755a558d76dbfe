"""A record cut into blocks small enough to stay in a processor's cache."""

from collections.abc import Iterator

import numpy as np

from attnpipe.core.block import Block
from attnpipe.core.record import LayerRecord

WEIGHTS_PER_BLOCK = 2**17
"""One megabyte per float64 array: the fastest of 2¹⁵ … 2²⁰ for rows of 50 keys."""

Part = tuple[slice, slice]


def parts(record: LayerRecord, weights_per_block: int = WEIGHTS_PER_BLOCK) -> Iterator[Part]:
    """Yield slices of samples and queries that cover each row of a record once."""
    heads, samples, queries, keys = record.weights.shape
    row = max(1, heads * keys)
    some_queries = min(queries, max(1, weights_per_block // row))
    some_samples = max(1, weights_per_block // (row * max(1, some_queries)))
    for sample in range(0, samples, some_samples):
        for query in range(0, queries, some_queries):
            yield slice(sample, sample + some_samples), slice(query, query + some_queries)


def block(record: LayerRecord, part: Part) -> Block:
    """Return the rows of one part."""
    samples, queries = part
    support = record.support
    return Block(
        weights=np.asarray(record.weights[:, samples, queries, :]),
        support=support[
            samples if support.shape[0] > 1 else slice(None),
            queries if support.shape[1] > 1 else slice(None),
        ],
        query_positions=record.query_positions[queries],
        key_positions=record.key_positions,
        samples=record.samples[samples],
    )
