"""Heads of different seeds matched by what they do, beside what independent heads would reach."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from attnpipe.aggregation.runs import RunTables
from attnpipe.core.record import LayerRecord
from attnpipe.stats.against_null import AgainstNull
from attnpipe.stats.jackknife import pair_values
from attnpipe.stats.matching import Matching, match_heads

Row = dict[str, Any]
MEASURE = "matched_cosine"
DRAWS = 199


def matched_rows(runs: Sequence[RunTables], records: Mapping[int, LayerRecord]) -> Iterator[Row]:
    """Yield the likeness of a layer's heads once they are matched between seeds.

    Partners are found on half A of the probe set and compared on half B; the null rotates
    every head along its keys (`stats.matching`).

    Parameters
    ----------
    runs
        Runs whose records hold the same rows of the same samples.
    records
        Seed → the layer.
    """
    chosen = [records[run.seed] for run in runs]
    probe = runs[0].probe
    if len(runs) < 2 or probe is None or len({len(r.weights) for r in chosen}) != 1:
        return
    a, b = (np.flatnonzero(probe.halves[chosen[0].samples] == half) for half in (0, 1))
    if not len(a) or not len(b):
        return
    found = match_heads([r.weights for r in chosen], chosen[0].support, a, b, draws=DRAWS)
    seeds = [run.seed for run in runs]
    yield _layer_row(found)
    yield {
        "level": "layer", "measure": "indexed_cosine", "n": len(seeds),
        "value": _mean(pair_values(found.by_index)),
    }  # fmt: skip
    first, second = np.triu_indices(len(seeds), k=1)
    for one, other, value in zip(first, second, pair_values(found.matched), strict=True):
        yield {
            "level": "pair", "measure": MEASURE, "seed_a": seeds[one], "seed_b": seeds[other],
            "value": float(value),
        }  # fmt: skip
    for later in range(1, len(seeds)):
        for head, partner in enumerate(found.partner[0, later].tolist()):
            yield {
                "level": "head", "measure": MEASURE, "head": head, "target": partner,
                "seed_a": seeds[0], "seed_b": seeds[later],
                "value": float(found.by_head[0, later, head]),
            }  # fmt: skip


def _layer_row(found: Matching) -> Row:
    estimate = found.likeness
    lo, hi = estimate.interval()
    return {
        "level": "layer", "measure": MEASURE, "value": estimate.value, "n": len(found.matched),
        "lo95": max(lo, -1.0), "hi95": min(hi, 1.0), **null_columns(found.against),
    }  # fmt: skip


def null_columns(found: AgainstNull) -> Row:
    """Return what tables say of a likeness beside its null."""
    return {
        "null_mean": found.mean, "null_hi95": found.hi95, "p": found.p, "above_null": found.above,
    }  # fmt: skip


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
