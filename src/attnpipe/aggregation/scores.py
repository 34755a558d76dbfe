"""Scores and gains as means of contributions per seed and unit, or as ratios of such means.

Contributions ``z[seed, unit]`` have the score as their item-weighted mean over units and
plain mean over seeds. For a root z is its first-order (delta-method) contribution, shifted
so that the mean stays exact. `estimate` gives the interval of any score.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from attnpipe.aggregation.losses import ModelLosses, PerUnit, SharedSplit
from attnpipe.stats.estimate import Estimate
from attnpipe.stats.ratio import Ratio
from attnpipe.stats.two_way import two_way_mean

T = TypeVar("T")
Parts = PerUnit | Ratio
"""What a score is made of."""
Score = Callable[[ModelLosses, SharedSplit], Parts]
Gain = Callable[[ModelLosses, ModelLosses, SharedSplit], Parts]


def estimate(parts: Parts, shares: Float[np.ndarray, " unit"]) -> Estimate:
    """Return a score with what its interval needs."""
    return parts.estimate() if isinstance(parts, Ratio) else two_way_mean(parts, shares)


def contributions(parts: Parts) -> PerUnit:
    """Return contributions whose mean is the score."""
    return parts.contributions() if isinstance(parts, Ratio) else parts


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


def _r2(model: ModelLosses, split: SharedSplit) -> Ratio:
    variance = split.variance[None, :]
    return Ratio(variance - model.loss, variance, split.shares)


def _accuracy(model: ModelLosses, split: SharedSplit) -> PerUnit:
    return model.accuracy


def _skill(model: ModelLosses, split: SharedSplit) -> Ratio:
    trivial = split.trivial[None, :]
    return Ratio(trivial - model.loss, trivial, split.shares)


SCORES: dict[str, Score] = {
    "loss": _loss,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "accuracy": _accuracy,
    "skill": _skill,
}
"""Metric → a model's score; skill = 1 − loss/trivial loss."""


def _gain_loss(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> PerUnit:
    return np.asarray(base.loss - model.loss)


def _gain_rmse(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> PerUnit:
    return np.asarray(root(base.loss, split.shares) - root(model.loss, split.shares))


def _gain_mae(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> PerUnit:
    return np.asarray(base.mae - model.mae)


def _gain_r2(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> Ratio:
    return Ratio(_gain_loss(model, base, split), split.variance[None, :], split.shares)


def _gain_accuracy(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> PerUnit:
    return np.asarray(model.accuracy - base.accuracy)


def skill_units(added: PerUnit, loss: PerUnit, split: SharedSplit) -> Ratio:
    """Return a loss in units of what the model's own lies below that of the trivial predictor."""
    return Ratio(added, split.trivial[None, :] - loss, split.shares)


def _gain_skill_units(model: ModelLosses, base: ModelLosses, split: SharedSplit) -> Ratio:
    return skill_units(_gain_loss(model, base, split), model.loss, split)


GAINS: dict[str, Gain] = {
    "loss": _gain_loss,
    "rmse": _gain_rmse,
    "mae": _gain_mae,
    "r2": _gain_r2,
    "accuracy": _gain_accuracy,
    "skill_units": _gain_skill_units,
}
"""Metric → a model's gain over its baseline; positive is better."""


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
