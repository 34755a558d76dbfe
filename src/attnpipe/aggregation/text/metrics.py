"""Metrics of texts → table `text_summary`."""

import numpy as np
import polars as pl
from scipy.special import stdtr

from attnpipe.aggregation.text.differences import difference
from attnpipe.aggregation.text.levels import Series, over_questions
from attnpipe.measurement.text.found_sinks import FOUND_SINK
from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli
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
    return TEXT_SUMMARY.conform(against_chance(kept))


def against_chance(summary: pl.DataFrame) -> pl.DataFrame:
    """Add ``p``, ``p_bh`` and ``p_by`` of heads whose metric has a chance level, else null.

    ``p`` is the two-sided p of t = (mean − chance) / (sd / √n) with n − 1 degrees of freedom, the
    unit being the question; it is adjusted over the heads of the same variant, condition, rows
    and metric.
    """
    numbered = summary.with_row_index("place")
    tested = numbered.filter(
        pl.all_horizontal(pl.col("head", "chance", "mean", "sd").is_not_null())
    )
    n = tested["n"].to_numpy()
    off = tested.select(difference(pl.col("mean"), pl.col("chance"))).to_series().to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):  # a head may do the same everywhere
        t = np.where(off == 0, 0.0, np.abs(off) / (tested["sd"].to_numpy() / np.sqrt(n)))
    tested = tested.with_columns(p=pl.Series(2 * stdtr(n - 1.0, -t)))
    done = [tested.clear().with_columns(p_bh=pl.lit(0.0), p_by=pl.lit(0.0))]
    same = ["checkpoint", "variant", "condition", "rows", "target", "metric"]
    for part in tested.partition_by(same, maintain_order=True):
        p = part["p"].to_numpy()
        adjusted = {"p_bh": benjamini_hochberg(p), "p_by": benjamini_yekutieli(p)}
        done.append(part.with_columns(pl.Series(k, v) for k, v in adjusted.items()))
    found = pl.concat(done).select("place", "p", "p_bh", "p_by")
    return numbered.join(found, on="place", how="left", maintain_order="left").drop("place")


def _pairs_without_names(frame: pl.DataFrame) -> pl.DataFrame:
    pair = pl.col("metric").cast(pl.String) == BETWEEN_HEADS
    return frame.with_columns(target=pl.when(~pair).then("target"))
