"""A mean, its variance and its degrees of freedom: all that an interval needs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from attnpipe.stats.confidence import CONFIDENCE, NAN


@dataclass(frozen=True)
class Estimate:
    """An estimate that is t-distributed around the truth, in good approximation.

    Attributes
    ----------
    value
        The estimate, in the unit of the data.
    variance
        Variance of the estimate (not of the data), in that unit squared; NaN where
        it cannot be known, as for one seed.
    df
        Degrees of freedom of `variance`; NaN where it cannot be known.
    """

    value: float
    variance: float = NAN
    df: float = NAN

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return ``value ± t(df) √variance``; both ends NaN where the variance is unknown.

        Parameters
        ----------
        confidence
            Two-sided coverage, in (0, 1).
        """
        half = t_quantile(self.df, confidence) * np.sqrt(self.variance)
        return float(self.value - half), float(self.value + half)

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p of ``truth = null``: below 0.05 where the interval leaves it out.

        NaN where the variance is unknown; 0 or 1 where it is 0.
        """
        if np.isnan(self.variance):
            return NAN
        distance = abs(self.value - null)
        if self.variance == 0:
            return float(distance == 0)
        return float(2 * stdtr(self.df, -distance / np.sqrt(self.variance)))


def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """Return t with ``P(|T| ≤ t) = confidence``, ``T`` of Student's t distribution.

    Parameters
    ----------
    df
        Degrees of freedom, > 0, not necessarily whole; NaN gives NaN.
    confidence
        In (0, 1).
    """
    return float(stdtrit(df, 0.5 + confidence / 2))


def mean_over_seeds(values: Float[np.ndarray, " seed"]) -> Estimate:
    """Return the mean over independent seeds: variance s²/n (ddof 1), n − 1 degrees of freedom.

    Parameters
    ----------
    values
        One value per seed; NaN where a seed has none, which leaves that seed out.

    Returns
    -------
    Estimate
        NaN for no value; the value without variance for one.
    """
    known = values[~np.isnan(values)]
    n = len(known)
    if n == 0:
        return Estimate(NAN)
    if n == 1:
        return Estimate(float(known[0]))
    return Estimate(float(known.mean()), float(known.var(ddof=1) / n), float(n - 1))
