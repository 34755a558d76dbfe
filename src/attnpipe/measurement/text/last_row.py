"""What the last token's row says beside its metrics: its focus, and document 3's entropy."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED
from attnpipe.metrics.tokens.sinks import LEAST_LEFT
from attnpipe.tables.text import TEXT_METRICS

SINKS_REMOVED = "sinks_removed"
FLOOR = 1e-10
"""Document 3 adds this to every weight before the logarithm."""


def focus(
    model: str,
    checkpoint: str,
    item: int,
    rows: Float[np.ndarray, "layer head key"],
    sinks: Bool[np.ndarray, " key"],
    found: Bool[np.ndarray, "layer key"],
) -> pl.DataFrame:
    """Return the position of each head's largest weight, the first if tied; and off the sinks.

    Off the declared ones (`sinks`), and off those of each layer that the weights show, too
    (`found`). Null where less than 1e-3 of the weight lies off the sinks.
    """
    layers, heads, _ = rows.shape
    removed = {
        None: np.zeros((1, 1, rows.shape[-1]), dtype=bool),
        SINKS_REMOVED: sinks[None, None],
        FOUND_SINKS_REMOVED: found[:, None],
    }
    # A weight of 0 elsewhere comes before any sink.
    largest = {name: np.where(gone, -1.0, rows).argmax(axis=-1) for name, gone in removed.items()}
    undefined = {
        name: (np.where(gone, 0.0, rows).sum(axis=-1) < LEAST_LEFT) & (name is not None)
        for name, gone in removed.items()
    }
    frames = [
        pl.DataFrame(
            {
                "layer": np.repeat(np.arange(layers), heads),
                "head": np.tile(np.arange(heads), layers),
                "value": np.where(undefined[condition], np.nan, places).ravel(),
                "n_rows": (~undefined[condition]).ravel().astype(np.int64),
                "n_excluded": undefined[condition].ravel().astype(np.int64),
            }
        ).with_columns(
            pl.col("value").fill_nan(None),
            model=pl.lit(model),
            checkpoint=pl.lit(checkpoint),
            condition=pl.lit(condition, pl.String),
            item=pl.lit(item),
            rows=pl.lit("last"),
            metric=pl.lit("focus_position"),
        )
        for condition, places in largest.items()
    ]
    return TEXT_METRICS.conform(pl.concat(frames))


def published_layer_entropy(
    model: str, checkpoint: str, item: int, rows: Float[np.ndarray, "layer head key"]
) -> pl.DataFrame:
    """Return document 3's entropy of each layer, nats: −Σ p ln p with p the head-mean row + 1e-10.

    The entropy of a mean is never below the mean entropy: heads that look at different
    tokens look distributed.
    """
    mean = rows.mean(axis=1) + FLOOR
    entropy = -(mean * np.log(mean)).sum(axis=-1)
    return TEXT_METRICS.conform(
        pl.DataFrame({"layer": np.arange(len(entropy)), "value": entropy}).with_columns(
            model=pl.lit(model),
            checkpoint=pl.lit(checkpoint),
            item=pl.lit(item),
            rows=pl.lit("last"),
            metric=pl.lit("published_layer_entropy"),
            n_rows=pl.lit(1),
            n_excluded=pl.lit(0),
        )
    )
