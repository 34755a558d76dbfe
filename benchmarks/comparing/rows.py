"""Blocks of the parity table, text by text, and how far apart numbers of them lie."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from benchmarks.architectures import build
from benchmarks.comparing.observed import Kept, eager_weights, exact_softmax, observe
from benchmarks.comparing.reading import Reading

from attnpipe.core.block import Block
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[1, 3], recent_k=[1, 3])
METRICS = row_metrics(OPTIONS)


def by_sample(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield each sample's rows as one block, in the order of samples."""
    for sample in sorted({int(i) for b in blocks for i in b.samples}):
        own = [b for b in blocks if sample in b.samples]
        index = [b.samples.tolist().index(sample) for b in own]
        weights = [b.weights[:, i] for i, b in zip(index, own, strict=True)]
        support = [
            b.support[i if len(b.support) > 1 else 0] for i, b in zip(index, own, strict=True)
        ]
        support = [s.expand(w.shape[1:]) for s, w in zip(support, weights, strict=True)]
        yield Block(
            torch.cat(weights, dim=1)[:, None],
            torch.cat(support)[None],
            torch.cat([b.query_positions for b in own]),
            own[0].key_positions,
            torch.tensor([sample]),
        )


def metrics(block: Block) -> dict[str, np.ndarray]:
    """Return every row metric ``[head, sample, query]``, NaN in rows that are not valid."""
    rows = Rows.from_block(block, OPTIONS.row_tolerance)
    valid = to_numpy(rows.valid)
    return {
        name: np.where(valid, np.broadcast_to(to_numpy(metric(rows)), valid.shape), np.nan)
        for name, metric in METRICS.items()
    }


def difference(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> float:
    """Return the largest difference of any metric, relative above 1; infinite if one is unknown."""
    worst = 0.0
    if got.keys() != want.keys():
        return float("inf")
    for name, wanted in want.items():
        if not np.array_equal(np.isnan(got[name]), np.isnan(wanted)):
            return float("inf")
        error = np.abs(got[name] - wanted) / np.maximum(1.0, np.abs(wanted))
        worst = max(worst, float(np.nanmax(error, initial=0.0)))
    return worst


def of_rows(reading: Reading) -> float:
    """Return the largest difference of any metric of any row to eager weights', in float64."""
    kept = Kept()
    with exact_softmax():
        _, sites = observe(build(reading.name), reading.inputs, kept)
    eager = eager_weights(reading.name, torch.float64, reading.inputs, sites)
    worst = 0.0
    for site, weights in zip(sites, eager, strict=True):
        support = torch.from_numpy(reading.support(site))
        for block in by_sample(kept.blocks[site.index]):
            sample = int(block.samples[0])
            where = block.query_positions, block.key_positions, block.samples
            want = Block(weights[sample, :, None], support[[sample]], *where)
            worst = max(worst, difference(metrics(block), metrics(want)))
    return worst
