"""How many seeds would settle a question that so many seeds leave open."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from attnpipe.stats.confidence import CONFIDENCE, NAN
from attnpipe.stats.estimate import mean_over_seeds, t_quantile
from attnpipe.stats.two_way import components, two_way_mean

MOST = 10_000
"""Numbers of seeds that are tried."""


@dataclass(frozen=True)
class SeedsNeeded:
    """How many seeds make an interval narrow enough.

    Attributes
    ----------
    seeds
        Smallest number of seeds, in all, with a half-width ≤ `distance`; None if 10,000
        are not enough or the spread is unknown.
    distance
        Between the estimate and the nearest margin, in the unit of the data.
    floor
        Half-width that would remain with ever so many seeds: that of the units. Where
        `seeds` is None and it exceeds `distance`, more test data are needed: no number of
        seeds is enough.
    """

    seeds: int | None
    distance: float
    floor: float


def seeds_needed(
    values: Float[np.ndarray, " seed"], *margins: float, confidence: float = CONFIDENCE
) -> SeedsNeeded:
    """Return the smallest n with t(n − 1) s/√n ≤ |mean − margin|.

    That many seeds would move the nearest margin out of the interval if mean and
    standard deviation stayed as they are. An estimate, not a promise: with five seeds s
    is known within a factor of about two.

    Parameters
    ----------
    values
        One value per seed; NaN are left out. At least two are needed to know the spread.
    margins
        What the value is compared with, such as −δ and δ; at least one.
    confidence
        Of the interval: 0.95, or 0.90 for a claim of equivalence.
    """
    estimate = mean_over_seeds(values)
    per_seed = estimate.variance * (estimate.df + 1)  # s²; NaN for fewer than two seeds
    return _of_spread(per_seed, _distance(estimate.value, margins), confidence)


def seeds_needed_by_interval(
    value: float, half_width: float, n: int, *margins: float, confidence: float = CONFIDENCE
) -> SeedsNeeded:
    """Return what `seeds_needed` does where only the interval is left of the values.

    Its width is taken for that of a t interval over independent replicates, s = half-width
    √n / t(n − 1): of a table of seeds and units this holds if seeds and not units make it
    wide. Questions count as seeds do.

    Parameters
    ----------
    value, half_width
        Estimate and half the width of its interval, in the unit of the data.
    n
        Replicates behind it.
    margins, confidence
        As in `seeds_needed`; `confidence` is the interval's own as well.
    """
    per_seed = n * (half_width / t_quantile(n - 1.0, confidence)) ** 2 if n > 1 else NAN
    return _of_spread(per_seed, _distance(value, margins), confidence)


def seeds_needed_two_way(
    values: Float[np.ndarray, "seed unit"],
    *margins: float,
    weights: Float[np.ndarray, " unit"] | None = None,
    confidence: float = CONFIDENCE,
) -> SeedsNeeded:
    """Return the smallest number of seeds for the interval of `stats.two_way.two_way_mean`.

    Parts of the variance that come from seeds and residuals shrink as 1/n; the part of
    the units alone, max(0, v_unit − v_resid), stays as it is. Each n is judged by the
    variance, floor and degrees of freedom that `two_way_mean` would use.

    Parameters
    ----------
    values, weights
        As in `stats.two_way.two_way_mean`.
    margins, confidence
        As in `seeds_needed`.
    """
    estimate = two_way_mean(values, weights)
    distance = _distance(estimate.value, margins)
    if np.isnan(estimate.variance):
        return SeedsNeeded(None, distance, NAN)
    parts = components(values, weights)
    n = np.arange(2, MOST + 1)
    shrink = len(values) / n
    constant = max(parts.unit - parts.resid, 0.0)
    seed, resid = parts.seed * shrink, parts.resid * shrink
    unit = constant + resid
    df_seed, df_unit = n - 1.0, parts.df_unit

    variance = np.maximum(seed + unit - resid, np.maximum(seed, unit))
    safe = np.where(variance > 0, variance, 1.0)
    spread = (
        (seed / safe) ** 2 / df_seed
        + (unit / safe) ** 2 / df_unit
        + (resid / safe) ** 2 / (df_seed * df_unit)
    )
    satterthwaite = np.divide(1.0, spread, out=np.zeros_like(safe), where=spread > 0)
    df = np.maximum(satterthwaite, np.minimum(df_seed, df_unit))
    floor = t_quantile(df_unit, confidence) * np.sqrt(constant)
    quantile = stdtrit(df, 0.5 + confidence / 2)
    return _first(n, quantile * np.sqrt(variance), distance, floor)


def _of_spread(per_seed: float, distance: float, confidence: float) -> SeedsNeeded:
    """Return the smallest n for replicates of such a variance."""
    n = np.arange(2, MOST + 1)
    half = _quantiles(confidence) * np.sqrt(per_seed / n)
    return _first(n, half, distance, 0.0 if per_seed >= 0 else NAN)


@cache
def _quantiles(confidence: float) -> np.ndarray:
    """Return t(n − 1) of every n that is tried: a report asks for them hundreds of times."""
    found: np.ndarray = stdtrit(np.arange(1.0, MOST), 0.5 + confidence / 2)
    found.flags.writeable = False
    return found


def _distance(value: float, margins: tuple[float, ...]) -> float:
    """Return the distance to the nearest margin."""
    if not margins:
        raise ValueError("name at least one margin")
    return float(np.min(np.abs(value - np.array(margins))))


def _first(n: np.ndarray, half: np.ndarray, distance: float, floor: float) -> SeedsNeeded:
    """Return the first n whose half-width is at most the distance."""
    enough = np.flatnonzero((half <= distance) & (distance > 0))
    return SeedsNeeded(int(n[enough[0]]) if len(enough) else None, distance, float(floor))
