"""Divisions and means in which NaN stands for "undefined"."""

import numpy as np
from jaxtyping import Float


def divide(
    numerator: Float[np.ndarray, "..."], denominator: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Return numerator / denominator, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    out = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def mean_of_known(values: Float[np.ndarray, "*rows item"]) -> Float[np.ndarray, "*rows"]:
    """Return the mean over the last axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = np.sum(known, axis=-1, dtype=np.float64)
    return divide(np.sum(np.where(known, values, 0.0), axis=-1), np.asarray(count))
