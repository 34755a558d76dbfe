"""Features in units of their own spread."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64


@dataclass(frozen=True)
class Scaling:
    """Scaled features and how they came about.

    Attributes
    ----------
    scaled
        ``(values − mean) / scale``.
    mean, scale
        Mean and sd (ddof 0) of the training rows; the scale of a constant feature is 1.
    constant
        Whether the feature does not vary over the training rows.
    """

    scaled: Float32[np.ndarray, "row feature"]
    mean: Float64[np.ndarray, " feature"]
    scale: Float64[np.ndarray, " feature"]
    constant: Bool[np.ndarray, " feature"]


def standardize(
    values: Float64[np.ndarray, "row feature"], train: Bool[np.ndarray, " row"]
) -> Scaling:
    """Scale features by mean and sd of the training rows alone."""
    mean, sd = values[train].mean(axis=0), values[train].std(axis=0)
    constant = sd <= 1e-12 * np.maximum(1.0, np.abs(mean))
    scale = np.where(constant, 1.0, sd)
    return Scaling(((values - mean) / scale).astype(np.float32), mean, scale, constant)
