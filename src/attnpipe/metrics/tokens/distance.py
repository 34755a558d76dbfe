"""How far apart rows lie: the square root of their Jensen–Shannon divergence."""

import math
from typing import Any

from jaxtyping import Bool, Float

from attnpipe.metrics.rows import plogp

_FEW = 2**15
"""Weights of several heads that are compared with one at a time."""


def row_distance(
    xp: Any,
    a: Float[Any, "... key"],
    b: Float[Any, "... key"],
    entropy_a: Float[Any, "..."],
    entropy_b: Float[Any, "..."],
) -> Float[Any, "..."]:
    """Return √(JSD/ln 2) of each pair of rows, in [0, 1]: 0 equal, 1 disjoint; shapes broadcast.

    JSD(a, b) = H((a + b)/2) − (H(a) + H(b))/2 (Lin 1991); its root is a metric (Endres and
    Schindelin 2003). The entropies are given because each row meets many others; they
    must come from `rows.plogp`, so that equal rows are at exactly 0. Rounding of 1e-16 in
    the divergence is 1e-8 in its root.
    """
    jsd = plogp(xp, 0.5 * (a + b)) - 0.5 * (entropy_a + entropy_b)
    share = xp.where(jsd > 0, jsd, 0.0) / math.log(2)
    return xp.sqrt(xp.where(share < 1, share, 1.0))


def pairwise(
    xp: Any, weights: Float[Any, "head sample query key"], valid: Bool[Any, "head sample query"]
) -> tuple[Float[Any, "head head sample"], Float[Any, "head head sample"]]:
    """Return sums over queries of the distance between heads, and the rows valid in both.

    Nothing larger than one head's rows is made, but for a few short ones at a time. The cost
    is one logarithm per weight and pair.
    """
    count = len(weights)
    step = max(1, _FEW // max(1, math.prod(weights.shape[1:])))
    both = xp.astype(valid, xp.float64)
    rows = xp.sum(both[:, None, ...] * both[None, ...], axis=-1)
    total = xp.zeros_like(rows)
    entropy = plogp(xp, weights)
    for i in range(count - 1):
        for first in range(i + 1, count, step):
            j = slice(first, min(first + step, count))
            far = row_distance(
                xp, weights[i, ...], weights[j, ...], entropy[i, ...], entropy[j, ...]
            )
            summed = xp.sum(far * both[i, ...] * both[j, ...], axis=-1)
            total[i, j, :] = summed
            total[j, i, :] = summed
    return total, rows
