"""Intervals of means over pairs of seeds, which are not independent."""

import numpy as np
from jaxtyping import Float

from attnpipe.stats.confidence import NAN
from attnpipe.stats.estimate import Estimate


def pairwise_mean(pairs: Float[np.ndarray, "seed seed"]) -> Estimate:
    """Return the mean over pairs of seeds with its delete-one-seed jackknife variance.

    Every seed takes part in n − 1 pairs, so n(n − 1)/2 pairs are no such number of
    observations. The jackknife leaves out one seed with all its pairs at a time:
    variance (n − 1)/n Σ (θ₋ᵢ − mean θ₋)², n − 1 degrees of freedom (Arvesen 1969,
    *Ann. Math. Statist.* 40, for U-statistics). The mean itself is a U-statistic and
    has no bias to remove.

    Parameters
    ----------
    pairs
        Symmetric; the diagonal is not read. NaN where a pair has no value. A seed
        without any value is left out.

    Returns
    -------
    Estimate
        NaN without a pair; without variance for two seeds, or if without some seed no
        pair would be left.
    """
    known = ~np.isnan(pairs)
    np.fill_diagonal(known, False)
    present = known.any(axis=1)
    known = known[np.ix_(present, present)]
    values = np.where(known, pairs[np.ix_(present, present)], 0.0)
    n = int(present.sum())
    if n == 0:
        return Estimate(NAN)

    total, count = values.sum() / 2, known.sum() / 2
    value = float(total / count)
    left = count - known.sum(axis=1)
    if n < 3 or np.any(left == 0):
        return Estimate(value)
    without = (total - values.sum(axis=1)) / left
    variance = (n - 1) / n * ((without - without.mean()) ** 2).sum()
    return Estimate(value, float(variance), float(n - 1))


def pair_values(pairs: Float[np.ndarray, "seed seed"]) -> Float[np.ndarray, " pair"]:
    """Return the values above the diagonal, row by row, NaN included."""
    return pairs[np.triu_indices(len(pairs), k=1)]
