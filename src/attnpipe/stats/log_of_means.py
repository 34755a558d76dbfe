"""How many times larger one mean loss is than another, seed by seed."""

import numpy as np
from jaxtyping import Float

from attnpipe.stats.estimate import Estimate
from attnpipe.stats.two_way import two_way_mean

Losses = Float[np.ndarray, "seed unit"]


def log_of_means(
    a: Losses, b: Losses, weights: Float[np.ndarray, " unit"] | None = None
) -> Estimate:
    """Return the mean over seeds of ln(ā/b̄), where ā and b̄ are a seed's means over units.

    For losses that seeds raise by different factors: five seeds of which each loses between
    20 and 300 times a margin have a t interval of the mean that reaches below it, as it takes
    their spread for one that goes either way. Their logarithms differ by little. What it
    estimates is the geometric mean over seeds, which is at most the mean of the ratios.

    To first order ln(ā/b̄) varies with units as a/ā − b/b̄ (the delta method), so that seeds and
    units are crossed as in `stats.two_way.two_way_mean`. `stats.log_ratio` takes the logarithm
    of each unit instead.

    Parameters
    ----------
    a, b
        Losses of the same seeds and units, in the same unit of measurement. NaN unless the mean
        of every seed is above 0.
    weights
        As in `stats.two_way.two_way_mean`.
    """
    mean_a, mean_b = (np.average(x, axis=1, weights=weights)[:, None] for x in (a, b))
    if not (np.all(mean_a > 0) and np.all(mean_b > 0)):
        return two_way_mean(np.full(a.shape, np.nan), weights)
    return two_way_mean(np.log(mean_a / mean_b) + a / mean_a - b / mean_b, weights)
