"""Likeness of attention profiles: one distribution over keys per seed."""

import numpy as np
from jaxtyping import Float
from scipy.special import rel_entr

ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Weights are stored as float32: smaller relative differences are rounding, not signal."""

Profiles = Float[np.ndarray, "seed key"]
Pairs = Float[np.ndarray, "seed seed"]


def cosine(profiles: Profiles) -> Pairs:
    """Return the cosine of profiles, neither centred nor cut off.

    As published in many attention studies. About 1/(1 + CV²) even for unrelated
    profiles, so values near 1 say little: compare `pearson` and an untrained model.

    Returns
    -------
    array
        In [−1, 1], for non-negative profiles in [0, 1]; NaN for a zero profile.
    """
    return _gram(_unit(profiles, np.linalg.norm(profiles, axis=1)))


def pearson(profiles: Profiles) -> Pairs:
    """Return the correlation over keys (the cosine of centred profiles).

    Returns
    -------
    array
        In [−1, 1]; NaN for a constant profile, which has no pattern to compare.
    """
    scale = np.linalg.norm(profiles, axis=1)
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    return _gram(_unit(centred, np.where(norm > ROUNDING * scale, norm, np.nan)))


def spearman(profiles: Profiles) -> Pairs:
    """Return the rank correlation over keys; ties share their mean rank.

    Returns
    -------
    array
        In [−1, 1]; NaN for a constant profile.
    """
    spread = np.ptp(profiles, axis=1) > ROUNDING * np.abs(profiles).max(axis=1)
    ranks = np.stack([_ranks(profile) for profile in profiles])
    return pearson(np.where(spread[:, None], ranks, np.nan))


def jsd_distance(profiles: Profiles) -> Pairs:
    """Return √(JSD/ln 2), a metric between distributions (Endres and Schindelin 2003).

    JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q)/2.

    Parameters
    ----------
    profiles
        Non-negative; each is divided by its sum.

    Returns
    -------
    array
        In [0, 1]: 0 for equal profiles, 1 for disjoint ones; NaN for a zero profile.
    """
    total = profiles.sum(axis=1, keepdims=True)
    p = profiles / np.where(total > 0, total, np.nan)
    a, b = p[:, None, :], p[None, :, :]
    middle = (a + b) / 2
    divergence = (rel_entr(a, middle) + rel_entr(b, middle)).sum(axis=-1) / 2
    return np.asarray(np.sqrt(np.clip(divergence / np.log(2), 0, 1)))


def _ranks(values: Float[np.ndarray, " key"]) -> Float[np.ndarray, " key"]:
    """Return ranks from 1, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def _unit(vectors: Profiles, norm: Float[np.ndarray, " seed"]) -> Profiles:
    """Return vectors of length 1; NaN where the length is 0 or NaN."""
    return vectors / np.where(norm > 0, norm, np.nan)[:, None]


def _gram(units: Profiles) -> Pairs:
    """Return all inner products, kept from leaving [−1, 1] by rounding."""
    return np.asarray(np.clip(units @ units.T, -1, 1))
