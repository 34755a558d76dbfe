"""How often heads of one name are called alike by the null of random logits, and alike ones are."""

from zlib import crc32

import numpy as np
from benchmarks.coverage_matching import SAMPLES, SHARED, Case, both, cases, profiles

from attnpipe.stats.against_null import LEVEL, AgainstNull
from attnpipe.stats.jackknife import pairwise_mean
from attnpipe.stats.random_likeness import random_likeness
from attnpipe.stats.rows import row_similarity

REPETITIONS, DRAWS = 400, 199
SHAPES = ((2, 1, 16), (2, 1, 50), (5, 1, 16), (5, 1, 50))
RANDOM = cases(SHAPES, (0, 2))
RANDOM_AGAIN = both(Case(2, 1, 16, 0), Case(5, 1, 16, 2), Case(5, 1, 16, 2, SHARED))
"""Rows that the test simulates anew."""


def random_rates(case: Case, times: int = REPETITIONS) -> tuple[float, float]:
    """Return the share of data sets with p ≤ .05, and of those above the null as findings ask."""
    rng = np.random.default_rng([crc32(repr(case).encode()), times])
    support = np.ones((1, 1, case.keys), dtype=bool)
    found = []
    for repetition in range(times):
        own = profiles(rng, (case.seeds, 1), case)
        common = profiles(rng, (1, 1), case)
        logits = np.sqrt(1 - case.shared) * own + np.sqrt(case.shared) * common
        logits = logits + 0.4 * profiles(rng, (case.seeds, SAMPLES), case)
        weights = np.exp(logits)
        weights /= weights.sum(axis=-1, keepdims=True)
        heads = list(weights[:, :, None, :])
        sources = [np.random.default_rng([repetition, seed]) for seed in range(case.seeds)]
        value = pairwise_mean(row_similarity(heads, support).centred).value
        against = AgainstNull(value, random_likeness(heads, support, sources, DRAWS))
        found.append((against.p <= LEVEL, against.above))
    by_p, above = np.mean(found, axis=0)
    return float(by_p), float(above)


def random_row(case: Case) -> str:
    """Return a row of the table."""
    by_p, above = random_rates(case)
    return (
        f"| {case.logits} | {case.shared:.0%} | {case.seeds} | {case.keys} | {case.width:g} "
        f"| {by_p:.3f} | {above:.3f} |"
    )
