"""Weights between tokens as pictures show them → table `maps`."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from attnpipe.aggregation.text.sinks import Keys, off_sinks
from attnpipe.core.errors import UserError
from attnpipe.metrics.reduce import mean_of_known
from attnpipe.metrics.tokens.rollout import rollout
from attnpipe.tables.text import MAPS

Full = Float[np.ndarray, "layer head query key"]
Map = Float[np.ndarray, "query key"]


def maps(
    model: str, checkpoint: str, variant: str, item: int, full: Full, views: Sequence[str],
    sinks: Mapping[str | None, Bool[np.ndarray, "layer key"]],
) -> pl.DataFrame:  # fmt: skip
    """Return the views of one text, all queries and keys, with and without its sinks.

    Rollout goes through all layers: a sink of any layer is none of its tokens.

    Parameters
    ----------
    model, checkpoint, variant, item
        Whose they are.
    full
        All weights of the text.
    views
        As in ``analysis.text.views``.
    sinks
        Condition → which of its tokens are taken out in each layer.

    Raises
    ------
    UserError
        When a view names a layer or a head that the model does not have.
    """
    frames = [MAPS.frame()]
    for condition, removed in sinks.items():
        anywhere = np.asarray(removed.any(axis=0))
        weights = off_sinks(full, removed[:, None, None]) if condition else full.astype(np.float64)
        for view in views:
            if condition and view == "rollout":
                shown = view_of(off_sinks(full, anywhere), view, anywhere)
            else:
                shown = view_of(weights, view)
            queries, keys = shown.shape
            frames.append(
                MAPS.conform(
                    pl.DataFrame(
                        {
                            "query": np.repeat(np.arange(queries), keys),
                            "key": np.tile(np.arange(keys), queries),
                            "value": shown.ravel(),
                        }
                    ).with_columns(
                        pl.col("value").fill_nan(None),
                        model=pl.lit(model),
                        checkpoint=pl.lit(checkpoint),
                        variant=pl.lit(variant),
                        condition=pl.lit(condition, pl.String),
                        item=pl.lit(item),
                        view=pl.lit(view),
                    )
                )
            )
    return pl.concat(frames)


def view_of(full: Full, view: str, removed: Keys | None = None) -> Map:
    """Return one view: ``last_layer``, ``mean``, ``max``, ``rollout``, ``l3`` or ``l3h2``.

    Parameters
    ----------
    full
        All weights of the text; undefined rows are NaN, and no view counts them.
    view
        Which.
    removed
        Sinks that `full` is without: rollout goes through the other tokens alone, and is
        NaN elsewhere.
    """
    weights = full.astype(np.float64, copy=False)
    if view == "last_layer":
        return _over_first(weights[-1])
    if view == "mean":
        return _over_first(weights.reshape(-1, *weights.shape[2:]))
    if view == "max":
        return np.asarray(np.fmax.reduce(weights, axis=(0, 1)))
    if view == "rollout":
        return _rollout(weights, removed)
    layer, *of_layer = (int(number) for number in re.findall(r"[0-9]+", view))
    layers, heads = full.shape[:2]
    if layer >= layers or any(head >= heads for head in of_layer):
        raise UserError(
            f"analysis.text.views names '{view}', but the model has layers 0 to {layers - 1} and "
            f"heads 0 to {heads - 1}; name one of these"
        )
    return np.asarray(weights[layer, of_layer[0]]) if of_layer else _over_first(weights[layer])


def _over_first(weights: Float[np.ndarray, "one query key"]) -> Map:
    return mean_of_known(np.moveaxis(weights, 0, -1))


def _rollout(weights: Full, removed: Keys | None) -> Map:
    """Return what flows between the tokens that are not removed."""
    size = weights.shape[-1]
    kept = np.arange(size) if removed is None else np.flatnonzero(~removed)
    among = np.ix_(kept, kept)
    found = np.full((size, size), np.nan)
    if len(kept):
        found[among] = rollout([_over_first(layer)[among] for layer in weights])
    return found
