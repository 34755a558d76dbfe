"""How often independent heads are called alike, and alike heads are."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr, stdtrit

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
    logits
        Distribution of profiles and content, one of `LOGITS`. It does not seed the draws:
        heavy-tailed data are the normal ones, value by value.
    """

    seeds: int
    heads: int
    keys: int
    width: float
    shared: float = 0.0
    logits: str = field(default="normal", repr=False)


LOGITS = ("normal", "heavy")
"""Both of variance 1; heavy: Student's t with 3 degrees of freedom."""
SHAPES = ((5, 1, 16), (5, 1, 50), (5, 4, 24), (5, 8, 16))
SHARED = 0.9


def both(*of: Case) -> list[Case]:
    """Return cases with both logits."""
    return [replace(case, logits=kind) for kind in LOGITS for case in of]


def cases(shapes: Iterable[tuple[int, int, int]], widths: Iterable[float]) -> list[Case]:
    """Return independent heads of all shapes and widths and alike ones, with both logits."""
    independent = [Case(*shape, width) for shape in shapes for width in widths]
    return both(*independent, *(Case(*shape, 2, SHARED) for shape in shapes))


MATCHING = cases(SHAPES, (0, 2, 4))
MATCHING_AGAIN = both(Case(5, 1, 16, 0), Case(5, 8, 16, 4), Case(5, 4, 24, 2, SHARED))
"""Rows that the test simulates anew."""


@dataclass(frozen=True)
class Rates:
    """Results of a case: shares of repetitions, and mean likeness of heads and null."""

    by_p: float
    above: float
    likeness: float
    null: float


def profiles(rng: np.random.Generator, shape: tuple[int, ...], case: Case) -> np.ndarray:
    """Return stationary profiles of variance 1 that are not periodic."""
    smooth = _normal(rng, shape, case)
    return smooth if case.logits == "normal" else heavy_tailed(smooth)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], case: Case) -> np.ndarray:
    if case.width == 0:
        return rng.standard_normal((*shape, case.keys))
    margin = int(5 * case.width)
    raw = rng.standard_normal((*shape, case.keys + 2 * margin))
    smooth = gaussian_filter1d(raw, case.width, axis=-1)[..., margin:-margin]
    return np.asarray(smooth * np.sqrt(2 * np.sqrt(np.pi) * case.width))


def heavy_tailed(normal: np.ndarray) -> np.ndarray:
    """Return values of the same ranks that are t with 3 degrees of freedom, of variance 1.

    Tails of the noise that is smoothed would be lost by smoothing, as sums are about normal.
    """
    return np.asarray(-np.sign(normal) * stdtrit(3, ndtr(-np.abs(normal))) / np.sqrt(3))


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
    heads = f"{case.seeds} × {case.heads}"
    likeness, null = (round(value, 2) + 0.0 for value in (r.likeness, r.null))  # no −0
    return (
        f"| {case.logits} | {case.shared:.0%} | {heads} | {case.keys} | {case.width:g} "
        f"| {likeness:.2f} | {null:.2f} | {r.by_p:.3f} | {r.above:.3f} |"
    )
