"""Attention over training: distances between checkpoints, and when it settles."""

import numpy as np
import polars as pl

from attnpipe.aggregation.runs import EPOCH
from attnpipe.stats.convergence import convergence
from attnpipe.tables.study import CONVERGENCE

WHERE = ["model", "seed", "layer", "head"]
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
    runs = points.partition_by(WHERE, maintain_order=True)
    if not runs:
        return CONVERGENCE.frame()
    return pl.concat([CONVERGENCE.conform(_settle(run.sort("epoch"))) for run in runs])


def _settle(points: pl.DataFrame) -> pl.DataFrame:
    """Add when one trajectory settles."""
    divergences = (
        points[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("jsd_previous", "jsd_final")
    )
    result = convergence(points["epoch"].to_numpy(), *divergences)
    if result is None:
        return points
    return points.with_columns(
        threshold=pl.lit(result.threshold),
        convergence_epoch=pl.lit(result.epoch, pl.Int64),
        censored=pl.lit(result.censored),
    )
