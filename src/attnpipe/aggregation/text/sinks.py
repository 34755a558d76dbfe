"""Declared sinks of every text, and stored weights as if no key were one."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from attnpipe.aggregation.text.names import SINKS_REMOVED
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.texts import declared

CONDITIONS = (None, SINKS_REMOVED)
"""All keys, and weights off the declared sinks."""

Keys = Bool[np.ndarray, " key"]


def sink_keys(tokens: pl.DataFrame, sinks: Sequence[str]) -> Mapping[int, Keys]:
    """Return item → which of its tokens are declared sinks.

    Parameters
    ----------
    tokens
        `tables.TOKENS` of one model.
    sinks
        Roles of sinks, as `metrics.tokens.texts.declared` takes them.
    """
    texts = tokens.sort("position").partition_by("item", as_dict=True)
    return {
        int(item): declared(text["special"].to_numpy(), list(sinks))
        for (item,), text in texts.items()
    }


def off_sinks(
    weights: Float[np.ndarray, "*rows key"], sinks: Keys
) -> Float[np.ndarray, "*rows key"]:
    """Return p / (1 − sink) on the other keys, 0 on sinks, in float64.

    Rows with less than 1e-3 off the sinks are NaN: what is left of them is mostly rounding
    (as `metrics.tokens.sinks.without`).
    """
    kept = np.where(sinks, 0.0, weights.astype(np.float64))
    left = kept.sum(axis=-1, keepdims=True)
    return divide(kept, np.where(left >= LEAST_LEFT, left, np.nan))
