"""Interval of a share."""

from scipy.stats import binomtest

from attnpipe.stats.estimate import CONFIDENCE, NAN


def wilson_interval(
    successes: int, trials: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return Wilson's score interval of a binomial share (1927, *J. Am. Statist. Assoc.* 22).

    Unlike mean ± t·se it stays in [0, 1], has a width at 0 and at 1, and covers what it
    claims for few trials.

    Parameters
    ----------
    successes, trials
        Counts, 0 ≤ successes ≤ trials; independent trials.
    confidence
        Two-sided coverage, in (0, 1).

    Returns
    -------
    tuple
        Lower and upper end, in [0, 1]; NaN without trials.
    """
    if trials == 0:
        return NAN, NAN
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
