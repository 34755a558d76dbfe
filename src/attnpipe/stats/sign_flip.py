"""Sign-flip test of the mean of paired differences."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int8

from attnpipe.stats.confidence import NAN

EXACT_UP_TO = 15
SIGNS_AT_A_TIME = 2**17
"""Signs that are multiplied together: as float64 they fit a core's own cache."""


@dataclass(frozen=True)
class SignFlip:
    """Result of a two-sided sign-flip test.

    Attributes
    ----------
    p
        p value in (0, 1]; NaN without differences.
    smallest
        Smallest p that the test can give with so many differences, 2^(1−n) if exact:
        .0625 for five, so that five seeds can never be significant at .05.
    """

    p: float
    smallest: float


def sign_flip_test(
    differences: Float[np.ndarray, " seed"], flips: int = 19_999, seed: int = 0
) -> SignFlip:
    """Test that differences are symmetric around zero by flipping their signs.

    p is the share of the 2ⁿ sign patterns whose |mean| is at least the observed one
    (Fisher 1935, *The Design of Experiments*, §21). Up to 15 differences all patterns
    are counted; above, `flips` random ones, and p = (1 + hits)/(1 + flips) (Phipson and
    Smyth 2010), which keeps the size of the test.

    Parameters
    ----------
    differences
        One paired difference per seed; NaN are left out.
    flips, seed
        Number and seed of the random patterns; without effect up to 15 differences.
    """
    d = differences[~np.isnan(differences)]
    n = len(d)
    if n == 0:
        return SignFlip(NAN, NAN)
    # Rounding of the sums must not turn ties into misses.
    bound = abs(d.sum()) - 1e-12 * np.abs(d).sum()
    if n <= EXACT_UP_TO:
        # The first sign is fixed: a pattern and its mirror image have the same |sum|.
        bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1) & 1
        sums = d[0] + (1 - 2 * bits) @ d[1:]
        return SignFlip(float(np.mean(np.abs(sums) >= bound)), 2.0 ** (1 - n))
    # a part at a time: numpy would hold all signs as float64
    parts = np.array_split(_signs(flips, n, seed), 1 + flips * n // SIGNS_AT_A_TIME)
    hits = sum(np.count_nonzero(np.abs(signs @ d) >= bound) for signs in parts)
    return SignFlip((1 + hits) / (1 + flips), max(2.0 ** (1 - n), 1 / (1 + flips)))


@lru_cache(maxsize=1)  # a study asks again and again, for the same number of seeds
def _signs(flips: int, n: int, seed: int) -> Int8[np.ndarray, "flip seed"]:
    """Return random signs."""
    rng = np.random.default_rng(seed)
    return 1 - 2 * rng.integers(0, 2, size=(flips, n), dtype=np.int8)
