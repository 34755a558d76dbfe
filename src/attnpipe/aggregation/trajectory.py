"""Attention over training: distances between checkpoints, and when it settles."""

import numpy as np
import polars as pl
import polars.selectors as cs

from attnpipe.aggregation.runs import EPOCH
from attnpipe.stats.convergence import convergence
from attnpipe.tables.study import CONVERGENCE

WHERE = ["model", "seed", "layer", "head"]
SETTLED = {"threshold": pl.Float64, "convergence_epoch": pl.Int64, "censored": pl.Boolean}
READ = ("entropy_normalized", "profile_entropy_normalized", "jsd_previous", "jsd_final")


def trajectories(values: pl.DataFrame) -> pl.DataFrame:
    """Return one row per run, layer, head and point of the trajectory.

    Points are ``untrained`` and the epochs; ``best`` and ``test`` repeat one of them. A
    trajectory without divergences has no threshold and no convergence epoch; one whose
    end is as restless as all of it has a threshold and no convergence epoch.

    Parameters
    ----------
    values
        `tables.METRIC_VALUES`.

    Returns
    -------
    DataFrame
        `tables.CONVERGENCE`, ordered by run, layer, head and epoch.
    """
    epoch = (
        pl.when(pl.col("checkpoint") == "untrained")
        .then(0)
        .otherwise(pl.col("checkpoint").str.extract(EPOCH).cast(pl.Int64))
    )
    points = (
        values.filter(
            pl.col("metric").is_in(READ)
            & pl.all_horizontal(pl.col("condition", "query", "target").is_null())
        )
        .with_columns(epoch=epoch)
        .filter(pl.col("epoch").is_not_null())
        .group_by([*WHERE, "checkpoint", "epoch"], maintain_order=True)
        .agg(pl.col("value").filter(pl.col("metric") == m).first().alias(m) for m in READ)
        .with_columns(entropy_normalized=pl.coalesce(READ[:2]))
        .drop("profile_entropy_normalized")
    )
    runs = points.group_by(WHERE, maintain_order=True).agg(pl.all().sort_by("epoch"))
    settled = pl.Series("settled", _settled(runs), dtype=pl.Struct(SETTLED))
    points = runs.with_columns(settled).explode(cs.exclude(*WHERE, "settled"))
    return CONVERGENCE.conform(points.unnest("settled"))


def _settled(runs: pl.DataFrame) -> list[dict[str, object]]:
    """Return when each trajectory settles."""
    found: list[dict[str, object]] = []
    for points in runs.select("epoch", "jsd_previous", "jsd_final").iter_rows():
        epochs, *divergences = (np.array(column, dtype=np.float64) for column in points)
        result = convergence(epochs.astype(np.int64), *divergences)
        values = (result.threshold, result.epoch, result.censored) if result else (None,) * 3
        found.append(dict(zip(SETTLED, values, strict=True)))
    return found
