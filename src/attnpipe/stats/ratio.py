"""A mean divided by a mean, over the same seeds and units."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from attnpipe.stats.confidence import CONFIDENCE, NAN
from attnpipe.stats.estimate import Estimate, t_quantile
from attnpipe.stats.two_way import Components, components, from_components, two_way_mean

DOUBLINGS = 60
"""Steps outwards in search of an end of an interval: as many as a float has meaning for."""


@dataclass(frozen=True)
class Linear:
    """Mean and parts of the variance of y − θ x, for any θ.

    Attributes
    ----------
    y, x
        Means.
    of_y, of_x, of_sum
        Parts of the variance of the means of y, x and y + x.
    """

    y: float
    x: float
    of_y: Components
    of_x: Components
    of_sum: Components

    def at(self, theta: float) -> Estimate:
        """Return the estimate of mean(y − θ x)."""
        y, x, both = self.of_y, self.of_x, self.of_sum
        parts = Components(
            _quadratic(theta, y.seed, x.seed, both.seed),
            _quadratic(theta, y.unit, x.unit, both.unit),
            _quadratic(theta, y.resid, x.resid, both.resid),
            y.df_seed,
            y.df_unit,
        )
        return from_components(self.y - theta * self.x, parts)

    def beyond(self, theta: float, confidence: float) -> float:
        """Return how far the interval of mean(y − θ x) is from 0: negative where it holds 0."""
        found = self.at(theta)
        half = t_quantile(found.df, confidence) * np.sqrt(found.variance)
        return float(abs(found.value) - half)


def _quadratic(theta: float, y: float, x: float, both: float) -> float:
    """Return Q(y − θ x) = Q(y) + θ² Q(x) − θ (Q(y + x) − Q(y) − Q(x)) of a quadratic form Q."""
    return max(0.0, y + theta * theta * x - theta * (both - y - x))


@dataclass(frozen=True, kw_only=True)
class RatioEstimate(Estimate):
    """An estimate of a ratio, judged by Fieller's theorem.

    The ratio is θ exactly if mean(y − θ x) is 0: intervals hold the θ that are not rejected
    (Fieller 1954, *J. R. Stat. Soc. B* 16). A linearised interval is too narrow where the
    denominator comes out large by chance, and too wide where it comes out small. `variance`
    and `df` are those of the linearised ratio, for tables.

    Attributes
    ----------
    linear
        What is tested.
    """

    linear: Linear

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the ratios that the data do not reject.

        Both ends are NaN where the interval of the denominator reaches 0: then ratios of any
        size are not rejected.
        """
        low, _ = from_components(self.linear.x, self.linear.of_x).interval(confidence)
        if not low > 0:
            return NAN, NAN
        if not self.linear.beyond(self.value, confidence) < 0:  # certain, but for rounding
            return self.value, self.value
        step = t_quantile(self.df, confidence) * float(np.sqrt(self.variance))
        return self._end(-step, confidence), self._end(step, confidence)

    def _end(self, step: float, confidence: float) -> float:
        inside = self.value
        for _ in range(DOUBLINGS):
            outside = inside + step
            if self.linear.beyond(outside, confidence) > 0:
                end = brentq(
                    self.linear.beyond, inside, outside, args=(confidence,), xtol=1e-9 * abs(step)
                )
                return float(end)
            inside, step = outside, 2 * step
        return NAN

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p of ``truth = null``."""
        return self.linear.at(null).p_value()


@dataclass(frozen=True)
class Ratio:
    """What a ratio of two means over seeds and units is made of.

    Attributes
    ----------
    numerator, denominator
        y and x. One row of x stands for all seeds.
    shares
        Weights of the units, of sum 1.
    """

    numerator: Float[np.ndarray, "seed unit"]
    denominator: Float[np.ndarray, "#seed unit"]
    shares: Float[np.ndarray, " unit"]

    def contributions(self) -> Float[np.ndarray, "seed unit"]:
        """Return R + (y − R x)/x̄, whose weighted mean is R = ȳ/x̄.

        The linearised ratio estimator (Cochran 1977, *Sampling Techniques*, §6.3): the
        denominator is a sample mean too, over the same units. NaN if the denominator's mean
        is not positive: then the ratio has no meaning.
        """
        mean = float(self.denominator.mean(axis=0) @ self.shares)
        if not mean > 0:
            return np.full_like(self.numerator, np.nan)
        value = float(self.numerator.mean(axis=0) @ self.shares) / mean
        return np.asarray(value + (self.numerator - value * self.denominator) / mean)

    def estimate(self) -> Estimate:
        """Return the ratio; without variance for one seed or one unit."""
        found = two_way_mean(self.contributions(), self.shares)
        if np.isnan(found.variance):
            return found
        y, x = self.numerator, np.broadcast_to(self.denominator, self.numerator.shape)
        mean_y, mean_x = (float(z.mean(axis=0) @ self.shares) for z in (y, x))
        of_y, of_x, of_sum = (components(z, self.shares) for z in (y, x, y + x))
        linear = Linear(mean_y, mean_x, of_y, of_x, of_sum)
        return RatioEstimate(found.value, found.variance, found.df, linear=linear)
