"""What the last token's row says beside its metrics: its focus, and document 3's entropy."""

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.tables.text import TEXT_METRICS

FLOOR = 1e-10
"""Document 3 adds this to every weight before the logarithm."""


def focus(
    model: str, checkpoint: str, item: int, rows: Float[np.ndarray, "layer head key"]
) -> pl.DataFrame:
    """Return the position of each head's largest weight, the first if tied."""
    layers, heads, _ = rows.shape
    return TEXT_METRICS.conform(
        pl.DataFrame(
            {
                "layer": np.repeat(np.arange(layers), heads),
                "head": np.tile(np.arange(heads), layers),
                "value": rows.argmax(axis=-1).ravel().astype(np.float64),
            }
        ).with_columns(
            model=pl.lit(model),
            checkpoint=pl.lit(checkpoint),
            item=pl.lit(item),
            rows=pl.lit("last"),
            metric=pl.lit("focus_position"),
            n_rows=pl.lit(1),
            n_excluded=pl.lit(0),
        )
    )


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
