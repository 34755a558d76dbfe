"""The numbers and verdict words of document 0's rules, exactly as published.

They work on a profile averaged over samples (and queries), which hides what single rows
do: H(mean of rows) ≥ mean H. They are reported beside the row metrics, never instead.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

FLOOR = 1e-12
"""Weights are raised to this before a logarithm."""


def published_numbers(
    profile: Float[np.ndarray, " key"], recent_k: Sequence[int]
) -> dict[str, float]:
    """Return the published numbers of one averaged profile over T keys, oldest first.

    ``profile_entropy_normalized`` is the entropy of the clipped and renormalised profile
    over ln T, whatever the support; ``profile_kl_uniform`` its divergence from 1/T in
    nats; ``profile_recent_mass_k`` the mass of the last k; ``profile_peak`` the index of
    the largest weight, the first if tied. All NaN if the profile has a NaN or sums to 0;
    the entropy also for T = 1.
    """
    names = ["profile_entropy_normalized", "profile_kl_uniform"]
    names += [*(f"profile_recent_mass_{k}" for k in recent_k), "profile_peak"]
    total, length = profile.sum(), len(profile)
    if not math.isfinite(total) or total == 0:
        return dict.fromkeys(names, math.nan)
    normed = profile / total
    entropy = _entropy(np.clip(profile, FLOOR, None))
    kl = math.log(length) - _entropy(np.clip(normed, FLOOR, None))
    values = [entropy / math.log(length) if length > 1 else math.nan, kl]
    values += [*(float(normed[-k:].sum()) for k in recent_k), float(np.argmax(normed))]
    return dict(zip(names, values, strict=True))


def entropy_word(profile_entropy_normalized: float) -> str:
    """Return the published word for a mean normalised entropy of the profile.

    Raises
    ------
    ValueError
        For NaN, about which the rule says nothing.
    """
    _refuse_nan(profile_entropy_normalized)
    if profile_entropy_normalized > 0.95:
        return "nahezu uniform"
    return "schwach fokussiert" if profile_entropy_normalized > 0.85 else "fokussiert"


def stability_word(profile_cosine: float) -> str:
    """Return the published word for a mean cosine of profiles between seeds.

    Raises
    ------
    ValueError
        For NaN, about which the rule says nothing.
    """
    _refuse_nan(profile_cosine)
    return "instabil" if profile_cosine < 0.9 else "stabil"


def _entropy(weights: Float[np.ndarray, " key"]) -> float:
    p = weights / weights.sum()
    return float(-np.sum(p * np.log(p)))


def _refuse_nan(value: float) -> None:
    if math.isnan(value):
        raise ValueError("the published rules have no word for NaN")
