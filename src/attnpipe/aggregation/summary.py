"""Metrics of runs → every seed's value, and statistics over seeds."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import stdtrit

from attnpipe.aggregation.ranges import metric_range
from attnpipe.aggregation.runs import MIXED, RunTables, are_replicates, final_label
from attnpipe.metrics.published import entropy_word
from attnpipe.stats.confidence import CONFIDENCE
from attnpipe.tables.study import METRIC_SUMMARY, METRIC_VALUES

KEYS = ["model", "checkpoint", "layer", "head", "condition", "target", "metric"]
PUBLISHED_ENTROPY = "profile_entropy_normalized"


def metric_values(model: str, runs: Sequence[RunTables]) -> pl.DataFrame:
    """Return the values of all runs that are means over the probe set, NaN as null."""
    frames = [run.metrics for run in runs if run.metrics is not None]
    if not frames:
        return METRIC_VALUES.frame()
    means = pl.concat(frames, rechunk=False).filter(pl.col("item").is_null())
    values = METRIC_VALUES.conform(means)
    return values.with_columns(pl.lit(model).alias("model"), pl.col("value").fill_nan(None))


def summarize(values: pl.DataFrame, runs: Sequence[RunTables]) -> pl.DataFrame:
    """Return mean, spread and t interval over seeds of every metric.

    Where seeds have different final checkpoints, rows of a checkpoint named ``final``
    summarise each seed's own. Where runs are no replicates under different seeds, the
    value of a single run is given and no statistics. Intervals end where the metric's
    range does (`aggregation.ranges`), unless the mean itself lies outside, as a
    bias-corrected one may.

    Parameters
    ----------
    values
        `tables.METRIC_VALUES` of the runs that count.
    runs
        The same runs.
    """
    frame = values.filter(pl.col("query").is_null())
    label = final_label(runs)
    if label is None:
        return METRIC_SUMMARY.frame()
    if label == MIXED:
        own = pl.DataFrame(
            {
                "seed": [run.seed for run in runs if run.probe is not None],
                "checkpoint": [run.probe.final for run in runs if run.probe is not None],
            }
        )
        final = frame.join(own, on=["seed", "checkpoint"], how="semi")
        frame = pl.concat([frame, final.with_columns(checkpoint=pl.lit(MIXED))])

    value = pl.col("value")
    spread = frame.group_by(KEYS, maintain_order=True).agg(
        n=value.count().cast(pl.Int64),
        mean=value.mean(),
        sd=value.std(ddof=1),
        min=value.min(),
        max=value.max(),
    )
    n = spread["n"].to_numpy()
    half = _t_quantiles(n) / np.sqrt(np.maximum(n, 1))
    spread = spread.with_columns(half=pl.Series(half) * pl.col("sd")).with_columns(
        lo95=pl.col("mean") - pl.col("half"), hi95=pl.col("mean") + pl.col("half")
    )
    spread = _within_range(spread, _keys(runs))
    if not are_replicates(runs):
        single = pl.when(pl.col("n") == 1).then(pl.col("mean"))
        spread = spread.with_columns(
            single.alias("mean"),
            *(pl.lit(None, pl.Float64).alias(c) for c in ("sd", "min", "max", "lo95", "hi95")),
        )
    return METRIC_SUMMARY.conform(_with_words(spread.drop("half"), label))


def _keys(runs: Sequence[RunTables]) -> int | None:
    """Return how many keys there are, if all layers have the same, from position 0 on."""
    layers = [record.key_positions for run in runs for record in run.final]
    known = {len(keys) if np.array_equal(keys, range(len(keys))) else None for keys in layers}
    return known.pop() if len(known) == 1 else None


def _within_range(spread: pl.DataFrame, keys: int | None) -> pl.DataFrame:
    """End intervals where the metric's range does; those of a mean outside stay as they are."""
    ranges = {metric: metric_range(metric, keys) for metric in spread["metric"].unique()}
    low, high = (
        pl.Series([ranges[metric][end] for metric in spread["metric"]], dtype=pl.Float64)
        for end in (0, 1)
    )
    inside = pl.col("mean").is_between(low, high)
    return spread.with_columns(
        lo95=pl.when(inside).then(pl.col("lo95").clip(lower_bound=low)).otherwise("lo95"),
        hi95=pl.when(inside).then(pl.col("hi95").clip(upper_bound=high)).otherwise("hi95"),
    )


def _with_words(spread: pl.DataFrame, label: str) -> pl.DataFrame:
    """Add the published word for the mean entropy of the final profiles."""
    final = (spread["metric"] == PUBLISHED_ENTROPY) & (spread["checkpoint"] == label)
    words = [
        entropy_word(mean) if is_final and mean is not None else None
        for mean, is_final in zip(spread["mean"], final, strict=True)
    ]
    return spread.with_columns(as_published=pl.Series(words, dtype=pl.String))


def _t_quantiles(n: np.ndarray) -> np.ndarray:
    """Return t with n − 1 degrees of freedom, NaN for n < 2; one computation per distinct n."""
    distinct, place = np.unique(n, return_inverse=True)
    df = np.where(distinct > 1, distinct - 1.0, np.nan)
    return np.asarray(stdtrit(df, 0.5 + CONFIDENCE / 2)[place])
