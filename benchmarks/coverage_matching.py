"""How often independent heads are called alike, and alike heads are."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.ndimage import gaussian_filter1d

from attnpipe.stats.against_null import LEVEL
from attnpipe.stats.matching import match_heads

REPETITIONS, SAMPLES, DRAWS = 200, 8, 19
"""With 19 rotations p ≤ .05 means: larger than all of them."""


@dataclass(frozen=True)
class Case:
    """Heads whose logits are a profile over keys plus content, both of one smoothness.

    Attributes
    ----------
    width
        Standard deviation of the smoothing kernel, in keys; 0: independent keys.
    shared
        Share of the variance of profiles that is the same in all seeds.
    """

    seeds: int
    heads: int
    keys: int
    width: float
    shared: float = 0.0


SHAPES = ((5, 1, 16), (5, 1, 50), (5, 4, 24), (5, 8, 16))
MATCHING = [Case(*shape, width) for shape in SHAPES for width in (0, 2, 4)] + [
    Case(*shape, 2, shared=0.9) for shape in SHAPES
]


@dataclass(frozen=True)
class Rates:
    """Results of a case: shares of repetitions, and mean likeness of heads and null."""

    by_p: float
    above: float
    likeness: float
    null: float


def profiles(rng: np.random.Generator, shape: tuple[int, ...], case: Case) -> np.ndarray:
    """Return stationary profiles of variance 1 that are not periodic."""
    if case.width == 0:
        return rng.standard_normal((*shape, case.keys))
    margin = int(5 * case.width)
    raw = rng.standard_normal((*shape, case.keys + 2 * margin))
    smooth = gaussian_filter1d(raw, case.width, axis=-1)[..., margin:-margin]
    return np.asarray(smooth * np.sqrt(2 * np.sqrt(np.pi) * case.width))


def rates(case: Case, times: int = REPETITIONS) -> Rates:
    """Return what `match_heads` finds; the same call gives the same draws."""
    rng = np.random.default_rng([crc32(repr(case).encode()), times])
    halves = np.arange(SAMPLES // 2), np.arange(SAMPLES // 2, SAMPLES)
    support = np.ones((1, 1, case.keys), dtype=bool)
    found = []
    for repetition in range(times):
        own = profiles(rng, (case.seeds, case.heads, 1), case)
        common = profiles(rng, (1, case.heads, 1), case)
        logits = np.sqrt(1 - case.shared) * own + np.sqrt(case.shared) * common
        logits = logits + 0.4 * profiles(rng, (case.seeds, case.heads, SAMPLES), case)
        weights = np.exp(logits)
        weights /= weights.sum(axis=-1, keepdims=True)
        heads = list(weights[:, :, :, None, :])
        m = match_heads(heads, support, *halves, draws=DRAWS, seed=repetition)
        found.append((m.against.p <= LEVEL, m.against.above, m.likeness.value, m.null.mean()))
    return Rates(*(float(x) for x in np.mean(found, axis=0)))


def matching_row(case: Case) -> str:
    """Return a row of the table."""
    r = rates(case)
    likeness, null = (round(value, 2) + 0.0 for value in (r.likeness, r.null))  # no −0
    return (
        f"| {case.shared:.0%} | {case.seeds} × {case.heads} | {case.keys} | {case.width:g} "
        f"| {likeness:.2f} | {null:.2f} | {r.by_p:.3f} | {r.above:.3f} |"
    )
