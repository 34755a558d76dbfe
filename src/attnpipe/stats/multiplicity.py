"""p values adjusted for the number of tests."""

import numpy as np
from jaxtyping import Float

P = Float[np.ndarray, " test"]


def holm(p: P) -> P:
    """Return p adjusted by Holm: at level α the chance of any false rejection is at most α.

    p₍ᵢ₎ → max over j ≤ i of (m − j + 1) p₍ⱼ₎, at most 1 (Holm 1979, *Scand. J. Statist.* 6),
    under any dependence. For few tests that decide.

    Parameters
    ----------
    p
        In [0, 1]; NaN where there was no test: it is not counted, and stays NaN.
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def benjamini_hochberg(p: P) -> P:
    """Return p adjusted by Benjamini and Hochberg (1995, *J. R. Statist. Soc. B* 57).

    Rejecting those ≤ α keeps the expected share of false rejections ≤ α, for
    independent or positively dependent tests. For many tests that explore.

    Parameters
    ----------
    p
        As in `holm`.
    """
    return _false_discovery(p, "bh")


def benjamini_yekutieli(p: P) -> P:
    """Return p adjusted by Benjamini and Yekutieli (2001, *Ann. Statist.* 29).

    As `benjamini_hochberg`, under any dependence, at the price of a factor
    1 + 1/2 + … + 1/m.

    Parameters
    ----------
    p
        As in `holm`.
    """
    return _false_discovery(p, "by")


def _false_discovery(p: P, method: str) -> P:
    known = ~np.isnan(p)
    adjusted = np.full_like(p, np.nan)
    if known.any():
        from scipy.stats import false_discovery_control  # one CPU-second; few tables need it

        adjusted[known] = false_discovery_control(p[known], method=method)
    return adjusted
