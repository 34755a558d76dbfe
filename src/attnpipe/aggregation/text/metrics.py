"""Metrics of texts → table `text_summary`."""

import polars as pl

from attnpipe.aggregation.text.levels import Series, over_questions
from attnpipe.measurement.text.found_sinks import FOUND_SINK
from attnpipe.tables.text import TEXT_SUMMARY

SERIES = Series(keys=("checkpoint", "condition", "rows", "target", "metric"), extras=("chance",))
BETWEEN_HEADS = "head_distance"


def text_summary(model: str, metrics: pl.LazyFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return all metrics over questions.

    A target (key, lag, other head) counts where every text of the variant has it: else its
    mean would be over other questions than its neighbour's. Shares of keys are left out
    where texts differ in length, as the same position then means something else.
    Distances between heads become, with heads averaged, the mean over pairs of the layer.
    Sinks that the weights show have a table of their own.

    Parameters
    ----------
    model
        Name of the model.
    metrics
        `tables.TEXT_METRICS` of its run.
    items
        As of `items.items_of`.
    """
    columns = ("layer", "head", "item", *SERIES.numbers, *SERIES.keys)
    summed = metrics.filter(pl.col("metric") != FOUND_SINK).select(columns)
    found = over_questions(summed, items, SERIES, pool=_pairs_without_names)
    of_variant = items.select("variant", "texts", "even").unique()
    metric = pl.col("metric").cast(pl.String)
    whole = pl.col("present") == pl.col("texts")
    same_keys = pl.col("even") | ~metric.str.starts_with("incoming_")
    kept = found.join(of_variant, on="variant", maintain_order="left").filter(
        pl.col("target").is_null() | (whole & same_keys)
    )
    kept = kept.drop("present", "measure", "texts", "even").with_columns(model=pl.lit(model))
    return TEXT_SUMMARY.conform(kept)


def _pairs_without_names(frame: pl.DataFrame) -> pl.DataFrame:
    pair = pl.col("metric").cast(pl.String) == BETWEEN_HEADS
    return frame.with_columns(target=pl.when(~pair).then("target"))
