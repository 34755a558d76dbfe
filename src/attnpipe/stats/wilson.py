"""Interval of a share."""

import math
from statistics import NormalDist

from attnpipe.stats.confidence import CONFIDENCE, NAN


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
    # By hand, as a diagnosis needs it and must not wait for scipy; tests hold it to scipy's.
    z, share = NormalDist().inv_cdf(0.5 + confidence / 2), successes / trials
    middle = share + z**2 / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    whole = 1 + z**2 / trials
    low = 0.0 if successes == 0 else (middle - half) / whole
    high = 1.0 if successes == trials else (middle + half) / whole
    return low, high
