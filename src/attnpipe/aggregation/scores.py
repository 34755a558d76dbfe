"""Scores and gains as means of linear contributions per seed and unit.

Each function returns contributions ``z[seed, unit]`` whose item-weighted mean over
units and plain mean over seeds is exactly the score. For a score that is no mean of
losses (a root, a ratio) z is its first-order (delta-method) contribution, shifted so
that the mean stays exact. `stats.two_way` then gives the interval of any score.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from attnpipe.aggregation.losses import ModelLosses, PerUnit, SharedSplit

T = TypeVar("T")
Score = Callable[[ModelLosses, SharedSplit], PerUnit]
Contribution = Callable[[ModelLosses, ModelLosses, SharedSplit], PerUnit]


def ratio(
    numerator: PerUnit,
    denominator: Float[np.ndarray, "#seed unit"],
    shares: Float[np.ndarray, " unit"],
) -> PerUnit:
    """Return contributions to mean(numerator)/mean(denominator).

    R + (y − R x)/x̄, the linearised ratio estimator (Cochran 1977, *Sampling
    Techniques*, §6.3): the denominator is a sample mean too, over the same units.

    Returns
    -------
    array
        NaN if the denominator's mean is not positive: then the ratio has no meaning.
    """
    mean = float(denominator.mean(axis=0) @ shares)
    if not mean > 0:
        return np.full_like(numerator, np.nan)
    value = float(numerator.mean(axis=0) @ shares) / mean
    return np.asarray(value + (numerator - value * denominator) / mean)


def root(mse: PerUnit, shares: Float[np.ndarray, " unit"]) -> PerUnit:
    """Return contributions to the mean over seeds of √(pooled mse of the seed).

    √ is linearised at each seed's own r = √mse: (x/r + r)/2, whose mean over units is r.
    """
    r = np.sqrt(mse @ shares)[:, None]
    return np.asarray((np.divide(mse, r, out=np.zeros_like(mse), where=r != 0) + r) / 2)


def _loss(model: ModelLosses, split: SharedSplit) -> PerUnit:
    return model.loss


def _rmse(model: ModelLosses, split: SharedSplit) -> PerUnit:
    return root(model.loss, split.shares)


def _mae(model: ModelLosses, split: SharedSplit) -> PerUnit:
    return model.mae


def _r2(model: ModelLosses, split: SharedSplit) -> PerUnit:
    variance = split.variance[None, :]
    return ratio(variance - model.loss, variance, split.shares)


def _accuracy(model: ModelLosses, split: SharedSplit) -> PerUnit:
    return model.accuracy


def _skill(model: ModelLosses, split: SharedSplit) -> PerUnit:
    trivial = split.trivial[None, :]
    return ratio(trivial - model.loss, trivial, split.shares)


SCORES: dict[str, Score] = {
    "loss": _loss,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "accuracy": _accuracy,
    "skill": _skill,
}
"""Metric → contributions to the score of a model; skill = 1 − loss/trivial loss."""


def _less(score: Score) -> Contribution:
    """Return the contributions to a gain in a score of which less is better."""
    return lambda model, base, split: np.asarray(score(base, split) - score(model, split))


def _more(score: Score) -> Contribution:
    """Return the contributions to a gain in a score of which more is better."""
    return lambda model, base, split: np.asarray(score(model, split) - score(base, split))


def _skill_units(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> PerUnit:
    return ratio(base.loss - model.loss, split.trivial[None, :] - model.loss, split.shares)


GAINS: dict[str, Contribution] = {
    "loss": _less(_loss),
    "rmse": _less(_rmse),
    "mae": _less(_mae),
    "r2": _more(_r2),
    "accuracy": _more(_accuracy),
    "skill_units": _skill_units,
}
"""Metric → contributions to the model's gain over its baseline; positive is better."""


OF_NUMBERS = ("rmse", "mae", "r2")
"""Scores and gains that tokens have not."""


def of_kind(table: Mapping[str, T], split: SharedSplit) -> dict[str, T]:
    """Return the scores or gains that the study's targets have."""
    return {name: of for name, of in table.items() if split.numeric or name not in OF_NUMBERS}


def seed_scores(model: ModelLosses, split: SharedSplit) -> dict[str, Float[np.ndarray, " seed"]]:
    """Return every score of every seed on the whole test split."""
    w = split.shares
    loss = model.loss @ w
    return {
        "loss": loss,
        "rmse": np.sqrt(loss),
        "mae": model.mae @ w,
        "r2": 1 - loss / _positive(split.variance @ w),
        "accuracy": model.accuracy @ w,
        "skill": 1 - loss / _positive(split.trivial @ w),
    }


def unit_scores(model: ModelLosses, split: SharedSplit) -> dict[str, Float[np.ndarray, " unit"]]:
    """Return the mean over seeds of every score of every unit.

    R² refers to the variance within the unit, skill to the trivial predictor there.
    """
    m = model.at(model.known())
    if len(m.seeds) == 0:
        return dict.fromkeys(seed_scores(model, split), np.full(len(split.items), np.nan))
    return {
        "loss": m.loss.mean(axis=0),
        "rmse": np.sqrt(m.loss).mean(axis=0),
        "mae": m.mae.mean(axis=0),
        "r2": (1 - m.loss / _positive(split.own_variance)).mean(axis=0),
        "accuracy": m.accuracy.mean(axis=0),
        "skill": (1 - m.loss / _positive(split.trivial)).mean(axis=0),
    }


def _positive(values: np.ndarray | float) -> np.ndarray:
    """Return NaN in place of 0, by which nothing can be divided."""
    return np.where(values > 0, values, np.nan)
