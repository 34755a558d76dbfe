"""Standardised size of a paired difference."""

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from attnpipe.stats.confidence import NAN

ROUNDING = 1e-12
"""Relative spread below which differences of sums are equal up to rounding."""


def hedges_g(differences: Float[np.ndarray, " seed"]) -> float:
    """Return mean/sd of paired differences, corrected for small samples.

    g = J(n − 1) · mean / sd (ddof 1), with the exact factor
    J(m) = Γ(m/2) / (√(m/2) Γ((m − 1)/2)) of Hedges (1981, *J. Educ. Stat.* 6), which
    makes g unbiased for normal differences. Dimensionless.

    Parameters
    ----------
    differences
        One paired difference per seed; NaN are left out.

    Returns
    -------
    float
        NaN for fewer than three differences (no unbiased estimate exists) and for
        differences without spread.
    """
    d = differences[~np.isnan(differences)]
    m = len(d) - 1
    if m < 2 or np.ptp(d) <= ROUNDING * np.abs(d).max():
        return NAN
    correction = np.exp(gammaln(m / 2) - gammaln((m - 1) / 2)) / np.sqrt(m / 2)
    return float(correction * d.mean() / d.std(ddof=1))
