"""Differences between two groups of units that are not paired."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln, stdtr, stdtrit

from attnpipe.metrics.reduce import divide
from attnpipe.stats.confidence import CONFIDENCE
from attnpipe.stats.paired import Differences

Values = Float[np.ndarray, "test unit"]


def welch_differences(values: Values, in_a: Bool[np.ndarray, "test unit"]) -> Differences:
    """Return mean(a) − mean(b) with Welch's interval and p, and Hedges g.

    Variances need not be equal (Welch 1947, *Biometrika* 34): se² = s_a²/n_a + s_b²/n_b with
    Satterthwaite's degrees of freedom. g is the difference over the pooled standard
    deviation, times J(n_a + n_b − 2) (Hedges 1981, *J. Educ. Stat.* 6).

    Parameters
    ----------
    values
        One value per test and unit; NaN where a unit has none, which leaves it out.
    in_a
        Whether a unit belongs to group a; the others are group b.

    Returns
    -------
    Differences
        `n` counts both groups, `sd` is the pooled one. All but `n` and `mean` are NaN where
        a group has fewer than two units, or no group has any spread.
    """
    n_a, mean_a, var_a = _moments(values, in_a)
    n_b, mean_b, var_b = _moments(values, ~in_a)
    difference = mean_a - mean_b
    part_a, part_b = divide(var_a, n_a), divide(var_b, n_b)
    variance = part_a + part_b
    df = divide(variance**2, divide(part_a**2, n_a - 1) + divide(part_b**2, n_b - 1))
    freedom = n_a + n_b - 2
    pooled = np.sqrt(divide((n_a - 1) * var_a + (n_b - 1) * var_b, freedom))
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    half = stdtrit(df, 0.5 + CONFIDENCE / 2) * error
    return Differences(
        n=(n_a + n_b).astype(np.int64),
        mean=difference,
        sd=pooled,
        lo95=difference - half,
        hi95=difference + half,
        hedges_g=_correction(freedom) * divide(difference, pooled),
        p=2 * stdtr(df, -np.abs(difference) / error),
    )


def _moments(
    values: Values, chosen: Bool[np.ndarray, "test unit"]
) -> tuple[Float[np.ndarray, " test"], Float[np.ndarray, " test"], Float[np.ndarray, " test"]]:
    """Return number, mean and variance (ddof 1; NaN for fewer than two) of some units."""
    used = chosen & ~np.isnan(values)
    n = used.sum(axis=1).astype(np.float64)
    mean = divide(np.where(used, values, 0.0).sum(axis=1), n)
    square = (np.where(used, values - mean[:, None], 0.0) ** 2).sum(axis=1)
    return n, mean, np.where(n > 1, divide(square, n - 1), np.nan)


def _correction(freedom: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Return Γ(m/2) / (√(m/2) Γ((m − 1)/2)), which makes g unbiased; NaN for m < 2."""
    m = np.where(freedom > 1, freedom, np.nan)
    return np.asarray(np.exp(gammaln(m / 2) - gammaln((m - 1) / 2)) / np.sqrt(m / 2))
