"""Attention records of a made-up training."""

import numpy as np

from attnpipe.core.record import LayerRecord, Probe

CHECKPOINTS = ("untrained", "epoch_001", "epoch_002", "epoch_010", "best")


def make_records(
    checkpoints=CHECKPOINTS, *, layers=1, heads=2, samples=6, queries=4, keys=6, seed=0
) -> list[LayerRecord]:
    """Causal rows that sharpen from checkpoint to checkpoint."""
    rng = np.random.default_rng(seed)
    positions = np.arange(keys)
    query_positions = positions[keys - queries :]
    support = (query_positions[:, None] >= positions[None, :])[None]
    records = []
    for layer in range(layers):
        logits = rng.standard_normal((heads, samples, queries, keys))
        for step, checkpoint in enumerate(checkpoints):
            weights = np.exp((step + 1) * logits) * support
            weights = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
            records.append(
                LayerRecord(
                    checkpoint,
                    layer,
                    weights,
                    support,
                    query_positions,
                    positions,
                    np.arange(samples),
                )
            )
    return records


def make_probe(samples=6, **changes) -> Probe:
    """Probe whose published row is the last query's."""
    shares = {0: [0.4, None], 1: [0.6, 0.2]}
    options = {"published_row": "last_query", "null_shares": shares} | changes
    return Probe(halves=np.arange(samples) % 2, **options)
