"""Declared sinks of every text, and stored weights as if no key were one."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from attnpipe.aggregation.text.names import SINKS_REMOVED
from attnpipe.measurement.text.found_sinks import FoundSinks
from attnpipe.metrics.reduce import divide
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.metrics.tokens.texts import declared

CONDITIONS = (None, SINKS_REMOVED, FOUND_SINKS_REMOVED)
"""All keys; weights off the declared sinks; and off those that a layer's weights show, too."""

Keys = Bool[np.ndarray, " key"]
LayerKeys = Bool[np.ndarray, "item layer _"]


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


def sinks_by_condition(
    checkpoint: str,
    items: Sequence[int],
    layers: int,
    declared_sinks: Mapping[int, Keys],
    found: FoundSinks,
) -> dict[str | None, LayerKeys]:
    """Return condition → which keys of texts of one length are taken out in each layer.

    Parameters
    ----------
    checkpoint, items, layers
        Of which texts, and of how many layers.
    declared_sinks
        As of `sink_keys`.
    found
        Sinks that the weights show.
    """
    own = [declared_sinks[item] for item in items]
    removed = np.stack([np.tile(keys, (layers, 1)) for keys in own])
    both = [
        found.with_declared(checkpoint, i, keys, layers) for i, keys in zip(items, own, strict=True)
    ]
    return {
        None: np.zeros_like(removed),
        SINKS_REMOVED: removed,
        FOUND_SINKS_REMOVED: np.stack(both),
    }


def off_sinks(
    weights: Float[np.ndarray, "*rows key"], sinks: Bool[np.ndarray, "..."]
) -> Float[np.ndarray, "*rows key"]:
    """Return p / (1 − sink) on the other keys, 0 on sinks, in float64.

    `sinks` broadcasts against the weights: sinks of a text, or of each of its layers.
    Rows with less than 1e-3 off the sinks are NaN: what is left of them is mostly rounding
    (as `metrics.tokens.sinks.without`).
    """
    kept = np.where(sinks, 0.0, weights.astype(np.float64))
    left = kept.sum(axis=-1, keepdims=True)
    return divide(kept, np.where(left >= LEAST_LEFT, left, np.nan))
