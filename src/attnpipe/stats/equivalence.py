"""Whether a difference is practically zero, practically not, or not known."""

from typing import Literal

from attnpipe.stats.confidence import TOST_CONFIDENCE
from attnpipe.stats.estimate import Estimate


def equivalence(estimate: Estimate, margin: float) -> Literal["yes", "no", "unknown"]:
    """Return whether the estimated difference lies inside ±margin.

    Two one-sided tests at 5 % each reject "beyond the margin" exactly if the 90 %
    interval lies inside ±margin (Schuirmann 1987, *J. Pharmacokinet. Biopharm.* 15).
    That "no difference was found" is not evidence for equality: it reads ``unknown``.

    Parameters
    ----------
    estimate
        The difference.
    margin
        Largest difference without practical meaning, > 0, in the same unit.

    Returns
    -------
    str
        ``yes``: the 90 % interval lies inside ±margin; ``no``: the 95 %
        interval lies wholly above +margin or wholly below −margin; else ``unknown``, as
        when the interval or the margin is NaN.
    """
    lo, hi = estimate.interval(TOST_CONFIDENCE)
    if -margin < lo and hi < margin:
        return "yes"
    lo, hi = estimate.interval()
    if lo > margin or hi < -margin:
        return "no"
    return "unknown"


def claim_p(estimate: Estimate, *margins: float) -> float:
    """Return the p of the claim that the estimate makes: on which side of the margins truth is.

    Beyond the outermost margins, the two-sided p of "truth lies on that margin"; between
    two, the larger of the two one-sided p (Schuirmann 1987). At 0.05 it says what the 95 %
    interval, or the 90 % one between two margins, says.

    Parameters
    ----------
    estimate
        The difference.
    margins
        One or two, in the same unit.

    Returns
    -------
    float
        In [0, 1]; NaN where the variance is unknown.
    """
    low, high = min(margins), max(margins)
    if low < estimate.value < high:
        return max(estimate.p_value(low), estimate.p_value(high)) / 2
    return estimate.p_value(low if estimate.value <= low else high)
