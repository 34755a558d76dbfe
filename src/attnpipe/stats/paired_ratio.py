"""A mean divided by a mean of the same units, where nothing but units is drawn."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attnpipe.stats.confidence import CONFIDENCE, NAN
from attnpipe.stats.estimate import Estimate, mean_over_seeds, t_quantile

PerUnit = Float[np.ndarray, " unit"]


@dataclass(frozen=True, kw_only=True)
class PairedRatio(Estimate):
    """ȳ/x̄ with the interval of Fieller's theorem.

    `variance` and `df` are those of the linearised ratio, for tables.

    Attributes
    ----------
    y, x
        Means.
    vyy, vxx, vxy
        Variances and covariance of the means.
    """

    y: float
    x: float
    vyy: float
    vxx: float
    vxy: float

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the θ for which a t test does not reject mean(y − θ x) = 0.

        They lie between the roots of (x̄² − t² vxx) θ² − 2 (x̄ȳ − t² vxy) θ + ȳ² − t² vyy
        (Fieller 1954, *J. R. Stat. Soc. B* 16). Both ends are NaN where the interval of x̄
        reaches 0: then ratios of any size are not rejected.
        """
        t2 = t_quantile(self.df, confidence) ** 2
        a = self.x * self.x - t2 * self.vxx
        if not (a > 0 and self.x > 0):
            return NAN, NAN
        b = self.x * self.y - t2 * self.vxy
        c = self.y * self.y - t2 * self.vyy
        half = np.sqrt(max(0.0, b * b - a * c))  # below 0 by rounding alone
        return float((b - half) / a), float((b + half) / a)

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p of ``truth = null``: of the t test of mean(y − null x) = 0."""
        variance = self.vyy + null * null * self.vxx - 2 * null * self.vxy
        return Estimate(self.y - null * self.x, max(0.0, variance), self.df).p_value()


def paired_ratio(numerator: PerUnit, denominator: PerUnit) -> Estimate:
    """Return mean(numerator)/mean(denominator) over the units that have both.

    Parameters
    ----------
    numerator, denominator
        One value per unit, paired; NaN where a unit has none.

    Returns
    -------
    Estimate
        NaN where the denominator's mean is not positive; without variance for one unit.
    """
    units = contributions(numerator, denominator)
    found = mean_over_seeds(units)
    if np.isnan(found.variance):
        return found
    both = ~np.isnan(units)
    y, x = numerator[both], denominator[both]
    (vyy, vxy), (_, vxx) = np.cov(y, x) / len(y)
    means = {"y": float(y.mean()), "x": float(x.mean())}
    parts = {"vyy": float(vyy), "vxx": float(vxx), "vxy": float(vxy)}
    return PairedRatio(found.value, found.variance, found.df, **means, **parts)


def contributions(numerator: PerUnit, denominator: PerUnit) -> PerUnit:
    """Return R + (y − R x)/x̄, whose mean is R = ȳ/x̄; NaN where a unit lacks either.

    The linearised ratio estimator (Cochran 1977, *Sampling Techniques*, §6.3). All NaN if the
    denominator's mean is not positive: then the ratio has no meaning.
    """
    both = ~np.isnan(numerator) & ~np.isnan(denominator)
    mean = float(denominator[both].mean()) if both.any() else NAN
    if not mean > 0:
        return np.full_like(numerator, np.nan)
    value = float(numerator[both].mean()) / mean
    return np.where(both, value + (numerator - value * denominator) / mean, np.nan)
