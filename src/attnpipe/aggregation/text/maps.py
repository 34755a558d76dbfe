"""Weights between tokens as pictures show them → table `maps`."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.core.errors import UserError
from attnpipe.metrics.tokens.rollout import rollout
from attnpipe.tables.text import MAPS

Full = Float[np.ndarray, "layer head query key"]
Map = Float[np.ndarray, "query key"]


def maps(
    model: str, checkpoint: str, variant: str, item: int, full: Full, views: Sequence[str]
) -> pl.DataFrame:
    """Return the views of one text, all queries and keys.

    Parameters
    ----------
    model, checkpoint, variant, item
        Whose they are.
    full
        All weights of the text.
    views
        As in ``analysis.text.views``.

    Raises
    ------
    UserError
        When a view names a layer or a head that the model does not have.
    """
    frames = [MAPS.frame()]
    for view in views:
        shown = view_of(full, view)
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
                    item=pl.lit(item),
                    view=pl.lit(view),
                )
            )
        )
    return pl.concat(frames)


def view_of(full: Full, view: str) -> Map:
    """Return one view: ``last_layer``, ``mean``, ``max``, ``rollout`` or ``l<layer>h<head>``."""
    weights = full.astype(np.float64)
    if view == "last_layer":
        return np.asarray(weights[-1].mean(axis=0))
    if view == "mean":
        return np.asarray(weights.mean(axis=(0, 1)))
    if view == "max":
        return np.asarray(weights.max(axis=(0, 1)))
    if view == "rollout":
        return np.asarray(rollout(list(weights.mean(axis=1))))
    layer, head = (int(number) for number in re.findall(r"[0-9]+", view))
    layers, heads = full.shape[:2]
    if layer >= layers or head >= heads:
        raise UserError(
            f"analysis.text.views names '{view}', but the model has layers 0 to {layers - 1} and "
            f"heads 0 to {heads - 1}; name one of these"
        )
    return np.asarray(weights[layer, head])
