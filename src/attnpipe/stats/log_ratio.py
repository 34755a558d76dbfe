"""How many times larger one loss is than another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attnpipe.stats.confidence import CONFIDENCE
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.two_way import two_way_mean

Losses = Float[np.ndarray, "seed unit"]


@dataclass(frozen=True)
class LogRatio:
    """Mean logarithm of the ratio of two losses.

    Attributes
    ----------
    log
        Mean of ln(a/b) with its variance; NaN if any loss is zero or NaN.
    zeros
        Pairs of losses with a zero in them: their ratio is 0, infinite or undefined.
    """

    log: Estimate
    zeros: int

    @property
    def ratio(self) -> float:
        """Geometric mean of a/b; above 1 where a is larger."""
        return _exp(self.log.value)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the interval of `ratio`: the ends of the interval of `log`, exponentiated."""
        lo, hi = self.log.interval(confidence)
        return _exp(lo), _exp(hi)


def log_ratio(a: Losses, b: Losses, weights: Float[np.ndarray, " unit"] | None = None) -> LogRatio:
    """Compare two losses by their ratio, for losses too skewed for a t interval.

    For lognormal losses of five seeds a t interval of 95 % covers the mean in 83 % of
    cases; their logarithms are normal, and the interval of the mean logarithm covers.
    What it estimates is the geometric mean of the ratios, which is not the ratio of the
    mean losses: many small improvements weigh as much as one large loss avoided.

    A loss of zero has no logarithm. Any stand-in (a small number, leaving out the unit)
    would decide the result, so the result is NaN as soon as one loss is zero; `zeros`
    says how many pairs are to blame. Compare differences there.

    Parameters
    ----------
    a, b
        Losses ≥ 0 of the same seeds and units, in the same unit of measurement; a NaN
        makes the result NaN.
    weights
        As in `stats.two_way.two_way_mean`.

    Raises
    ------
    ValueError
        For a negative loss.
    """
    if np.any(a < 0) or np.any(b < 0):
        raise ValueError("losses must not be negative: a ratio of them has no logarithm")
    none = (a == 0) | (b == 0)
    logs = np.full(a.shape, np.nan)
    positive = ~none
    logs[positive] = np.log(a[positive]) - np.log(b[positive])
    return LogRatio(two_way_mean(logs, weights), int(none.sum()))


def _exp(value: float) -> float:
    """Return e^value; infinite where that is too large for a float."""
    with np.errstate(over="ignore"):
        return float(np.exp(value))
