"""Paired differences over units, many tests at a time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from attnpipe.stats.confidence import CONFIDENCE
from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.sign_flip import EXACT_UP_TO, sign_flip_test

CHUNK_VALUES = 4_000_000
"""Sums of sign patterns held at a time: bounds memory at some tens of megabytes."""

PerTest = Float[np.ndarray, " test"]


@dataclass(frozen=True)
class Differences:
    """Mean differences with what is needed to judge them, one per test; NaN where unknowable.

    Attributes
    ----------
    n
        Units with a value.
    mean
        Mean difference, in the unit of the data.
    sd
        Standard deviation of the differences, ddof 1 (unpaired: of the units, pooled).
    lo95, hi95
        Ends of the 95 % t interval of the mean.
    hedges_g
        Standardised difference, corrected for small samples.
    p
        Two-sided p.
    """

    n: Int[np.ndarray, " test"]
    mean: PerTest
    sd: PerTest
    lo95: PerTest
    hi95: PerTest
    hedges_g: PerTest
    p: PerTest


def paired_differences(
    values: Float[np.ndarray, "test unit"], flips: int = 19_999, seed: int = 0
) -> Differences:
    """Return mean, spread, t interval, Hedges g and sign-flip p of paired differences.

    The unit is what was drawn: a question, not a layer or a head. Intervals are
    ``mean ± t(n − 1) sd/√n``.

    Parameters
    ----------
    values
        One paired difference per test and unit; NaN where a unit has none, which leaves
        it out of that test.
    flips, seed
        As in `stats.sign_flip.sign_flip_test`, which gives the same p.
    """
    known = ~np.isnan(values)
    n = known.sum(axis=1)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=1) / n
        square = (np.where(known, values - mean[:, None], 0.0) ** 2).sum(axis=1)
        sd = np.sqrt(square / np.where(n > 1, n - 1, np.nan))
        half = stdtrit(np.where(n > 1, n - 1.0, np.nan), 0.5 + CONFIDENCE / 2) * sd / np.sqrt(n)
    effect = np.array([hedges_g(row) for row in values], dtype=np.float64)
    p = sign_flip_p(values, flips, seed)
    return Differences(n, mean, sd, mean - half, mean + half, effect, p)


def sign_flip_p(
    values: Float[np.ndarray, "test unit"], flips: int = 19_999, seed: int = 0
) -> PerTest:
    """Return the p of `stats.sign_flip.sign_flip_test` for every test.

    Random patterns are drawn once and serve all tests, which makes hundreds of tests as
    cheap as a few. A missing difference is a zero, whose sign does not matter.

    Parameters
    ----------
    values
        One paired difference per test and unit, or NaN.
    """
    tests, units = values.shape
    if units <= EXACT_UP_TO:
        return np.array([sign_flip_test(row).p for row in values], dtype=np.float64)
    filled = np.nan_to_num(values, nan=0.0)
    # Rounding of the sums must not turn ties into misses.
    bound = np.abs(filled.sum(axis=1)) - 1e-12 * np.abs(filled).sum(axis=1)
    rng = np.random.default_rng(seed)
    signs = (1 - 2 * rng.integers(0, 2, size=(flips, units), dtype=np.int8)).astype(np.float64)
    hits = np.zeros(tests, dtype=np.int64)
    size = max(1, CHUNK_VALUES // flips)
    for start in range(0, tests, size):
        part = slice(start, start + size)
        hits[part] = (np.abs(signs @ filled[part].T) >= bound[part]).sum(axis=0)
    return np.where(np.isnan(values).all(axis=1), np.nan, (1 + hits) / (1 + flips))
