"""Attention rollout: what flows from token to token through all layers. Descriptive only."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def rollout(layers: Sequence[Float[np.ndarray, "token token"]]) -> Float[np.ndarray, "token token"]:
    """Return the attention rollout Π (½ Ā + ½ I), the last layer leftmost.

    The identity stands for the residual connection (Abnar and Zuidema 2020,
    arXiv 2005.00928). Rows sum to 1. What a layer makes of the values it mixes
    is ignored, so that this describes weights and shows no cause.

    Parameters
    ----------
    layers
        Mean over heads of the weights of each layer, the first layer first.

    Returns
    -------
    array
        ``[token, token]``; all NaN if a row of a layer is NaN.
    """
    total = np.eye(len(layers[0]))
    for mean in layers:
        total = (0.5 * mean + 0.5 * np.eye(len(mean))) @ total
    return total if np.isfinite(total).all() else np.full_like(total, np.nan)
