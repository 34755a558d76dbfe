"""What figures take from the study's tables."""

from collections.abc import Mapping, Sequence

import polars as pl
from polars.dataframe.group_by import GroupBy

from attnpipe.figures.context import FigureContext

Tables = Mapping[str, pl.DataFrame]
UNKNOWABLE = "unknowable"
MIXED = "final"
"""Checkpoint of summaries over seeds whose final checkpoints differ."""


def finals(tables: Tables) -> pl.DataFrame:
    """Return `model`, `seed`, `checkpoint`: the final weights of every run that counts.

    A run counts when it ended well and is no copy of an earlier one.
    """
    ended_well = (pl.col("outcome") == "ok") & pl.col("final").is_not_null()
    counts = ended_well & pl.col("identical_to").is_null()
    return tables["inventory"].filter(counts).select("model", "seed", checkpoint="final")


def final_checkpoint(tables: Tables) -> dict[str, str]:
    """Return model → the checkpoint under which the study's tables summarise its final weights.

    That is the runs' own one, or ``final`` where it differs from seed to seed.
    """
    kinds = finals(tables).group_by("model").agg(pl.col("checkpoint").unique()).sort("model")
    return {m: c[0] if len(c) == 1 else MIXED for m, c in kinds.iter_rows()}


def values(tables: Tables, metrics: Sequence[str]) -> pl.DataFrame:
    """Return every run's values over the whole probe set, averaged over layers and heads.

    Returns
    -------
    polars.DataFrame
        `model`, `seed`, `checkpoint`, `metric`, `target`, `value`, `heads` (pairs of layer
        and head behind the value); values that are null or not finite are left out.
    """
    frame = tables["metric_values"].filter(
        pl.col("metric").is_in(list(metrics))
        & pl.col("condition").is_null()
        & pl.col("value").is_finite()
    )
    for level in ("item", "query"):
        if level in frame.columns:
            frame = frame.filter(pl.col(level).is_null())
    keys = ["model", "seed", "checkpoint", "metric", "target"]
    return (
        _in_order(frame, keys, "layer", "head")
        .agg(pl.col("value").mean(), heads=pl.len())
        .sort(keys, nulls_last=True)
    )


def _in_order(frame: pl.DataFrame, keys: Sequence[str], *within: str) -> GroupBy:
    """Group so that sums are taken in the same order whatever the order of the rows."""
    ordered = frame.sort(*keys, *within, nulls_last=True)
    return ordered.group_by(keys, maintain_order=True)


def mean_over_seeds(points: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the mean of a column per epoch."""
    return _in_order(points, ["epoch"], "seed").agg(pl.col(column).mean())


def epochs(points: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of training checkpoints with their `epoch`: 0 for the untrained model."""
    number = pl.col("checkpoint").str.extract(r"^epoch_(\d+)$").cast(pl.Int64)
    epoch = pl.when(pl.col("checkpoint") == "untrained").then(0).otherwise(number)
    return points.with_columns(epoch=epoch).filter(pl.col("epoch").is_not_null())


def final_values(tables: Tables, metrics: Sequence[str]) -> pl.DataFrame:
    """Return `values` of the final weights alone."""
    return values(tables, metrics).join(finals(tables), on=["model", "seed", "checkpoint"])


def spread(
    tables: Tables, metrics: Sequence[str], checkpoint: Mapping[str, str] | str | None = None
) -> pl.DataFrame:
    """Return means over seeds with their intervals, as the study's table has them.

    Several layers or heads have no common row in the table: then the mean of `values` is
    given, without an interval.

    Parameters
    ----------
    checkpoint
        Model → checkpoint, or one for all; by default the final weights.

    Returns
    -------
    polars.DataFrame
        `model`, `metric`, `target`, `n`, `mean`, `lo95`, `hi95`.
    """
    if isinstance(checkpoint, str):
        points = values(tables, metrics).filter(pl.col("checkpoint") == checkpoint)
        chosen = dict.fromkeys(points["model"].unique(), checkpoint)
    else:
        points = final_values(tables, metrics)
        chosen = dict(checkpoint or final_checkpoint(tables))
    keys = ["model", "metric", "target"]
    several = points.group_by("model").agg(pl.col("heads").max() > 1)
    single = {m for m, many in several.iter_rows() if not many and m in chosen}
    given = (
        tables["metrics"]
        .filter(
            pl.col("metric").is_in(list(metrics))
            & pl.col("model").is_in(list(single))
            & pl.col("condition").is_null()
            & pl.col("mean").is_finite()
        )
        .join(_at(chosen), on=["model", "checkpoint"])
        .select(*keys, "n", "mean", "lo95", "hi95")
    )
    computed = _in_order(points.filter(~pl.col("model").is_in(list(single))), keys, "seed").agg(
        n=pl.len().cast(pl.Int64),
        mean=pl.col("value").mean(),
        lo95=pl.lit(None, dtype=pl.Float64),
        hi95=pl.lit(None, dtype=pl.Float64),
    )
    return pl.concat([given, computed]).sort(keys, nulls_last=True)


def keys_of(points: pl.DataFrame, context: FigureContext) -> int:
    """Return the number of key positions of profiles, or of a window where there are none."""
    last = points["target"].max()
    return last + 1 if isinstance(last, int) else max(context.window, 1)


def heads_note(points: pl.DataFrame) -> list[str]:
    """Say so where values are means over several layers or heads."""
    most = points["heads"].max() if points.height else 0
    if isinstance(most, int) and most > 1:
        return [f"Mean over up to {most} layers × heads per run; intervals are in the tables."]
    return []


def likeness(
    tables: Tables, level: str, measures: Sequence[str], checkpoint: str | None = None
) -> pl.DataFrame:
    """Return rows of the similarity table, averaged over layers and heads.

    Parameters
    ----------
    level
        ``pair``, ``model`` or ``timestep``.
    checkpoint
        One checkpoint for all models; by default the final one.

    Returns
    -------
    polars.DataFrame
        `model`, `measure`, `seed_a`, `seed_b`, `target`, `value`, `lo95`, `hi95` (null for
        several layers or heads), `n`, `as_published`.
    """
    frame = tables["similarity"].filter(
        (pl.col("level") == level)
        & pl.col("measure").is_in(list(measures))
        & pl.col("value").is_finite()
    )
    if checkpoint is not None:
        frame = frame.filter(pl.col("checkpoint") == checkpoint)
    else:
        frame = frame.join(_at(final_checkpoint(tables)), on=["model", "checkpoint"])
    single = pl.len() == 1
    keys = ["model", "measure", "seed_a", "seed_b", "target"]
    return (
        _in_order(frame, keys, "layer", "head")
        .agg(
            pl.col("value").mean(),
            lo95=pl.when(single).then(pl.col("lo95").first()),
            hi95=pl.when(single).then(pl.col("hi95").first()),
            n=pl.col("n").min(),
            as_published=pl.col("as_published").first(),
        )
        .sort(keys, nulls_last=True)
    )


def _at(checkpoints: Mapping[str, str]) -> pl.DataFrame:
    columns = {"model": list(checkpoints), "checkpoint": list(checkpoints.values())}
    return pl.DataFrame(columns, schema={"model": pl.String, "checkpoint": pl.String})
