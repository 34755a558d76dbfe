"""Variation of profiles over seeds."""

import numpy as np
from jaxtyping import Float


def coefficient_of_variation(
    values: Float[np.ndarray, "seed key"],
) -> Float[np.ndarray, " key"]:
    """Return sd/mean over seeds at each key × (1 + 1/4n), sd with ddof 1.

    The factor removes most of the small-sample bias (Sokal and Rohlf 1995,
    *Biometry*, §4.10). Dimensionless, ≥ 0 for non-negative values.

    Parameters
    ----------
    values
        Non-negative, such as one profile per seed.

    Returns
    -------
    array
        NaN for fewer than two seeds and where the mean is 0.
    """
    n = len(values)
    if n < 2:
        return np.full(values.shape[1], np.nan)
    mean = values.mean(axis=0)
    safe = np.where(mean == 0, np.nan, mean)
    return np.asarray(values.std(axis=0, ddof=1) / safe * (1 + 1 / (4 * n)))
