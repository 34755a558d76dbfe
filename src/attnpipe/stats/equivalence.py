"""Whether a difference is practically zero, practically not, or not known."""

from typing import Literal

from attnpipe.stats.estimate import Estimate

TOST_CONFIDENCE = 0.90


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
