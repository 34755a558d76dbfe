"""Keys that the weights show to be sinks, beside the declared ones → table `sinks`."""

from collections.abc import Mapping, Sequence

import polars as pl

from attnpipe.aggregation.text.levels import with_intervals
from attnpipe.aggregation.text.sinks import Keys
from attnpipe.measurement.text.found_sinks import FOUND_SINK
from attnpipe.tables.text import SINKS

VARIANT = ["checkpoint", "variant"]
KEY = [*VARIANT, "position"]


def found_sinks(
    model: str,
    metrics: pl.LazyFrame,
    tokens: pl.DataFrame,
    items: pl.DataFrame,
    checkpoints: Sequence[str],
    declared: Mapping[int, Keys],
) -> pl.DataFrame:
    """Return every sink of every layer, per head, over heads, and over its layers.

    Which keys are sinks is told by `metrics.tokens.data_sinks`, layer by layer over the
    texts of a variant; a variant without any has one row with 0 layers.

    Parameters
    ----------
    model
        Name of the model.
    metrics
        `tables.TEXT_METRICS` of its run: rows of ``data_sink_mass``.
    tokens
        `tables.TOKENS` of the model.
    items
        As of `items.items_of`.
    checkpoints
        Of the run.
    declared
        As of `sinks.sink_keys`.
    """
    values = (
        metrics.filter(pl.col("metric") == FOUND_SINK)
        .select("checkpoint", "layer", "head", "item", "value", "chance", position="target")
        .collect()
        .join(items.select("item", "variant"), on="item", maintain_order="left")
    )
    by_head = values.select(*KEY, "layer", "head", "item", "value", "chance")
    by_layer = _mean(by_head, [*KEY, "layer", "item"])
    overall = _mean(by_layer, [*KEY, "item"])
    levels = [
        _statistics(frame, [*KEY, *place])
        for frame, place in ((by_head, ["layer", "head"]), (by_layer, ["layer"]), (overall, []))
    ]
    every = pl.DataFrame({"checkpoint": checkpoints}, schema={"checkpoint": pl.String}).join(
        items.select("variant").unique(maintain_order=True), how="cross"
    )
    without = every.join(values, on=VARIANT, how="anti", maintain_order="left")
    layers = by_layer.group_by(KEY).agg(layers=pl.col("layer").n_unique().cast(pl.Int64))
    found = with_intervals(pl.concat(levels, how="diagonal_relaxed"))
    known = found.join(layers, on=KEY, maintain_order="left").join(
        _tokens(values, tokens, declared), on=KEY, maintain_order="left"
    )
    none = without.with_columns(layers=pl.lit(0, pl.Int64))
    table = pl.concat([SINKS.conform(known), SINKS.conform(none)])
    order = ["checkpoint", "variant", "layer", "head", "position"]
    return table.with_columns(model=pl.lit(model)).sort(order, nulls_last=False)


def _mean(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    return frame.group_by(by, maintain_order=True).agg(pl.col("value", "chance").mean())


def _statistics(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    value = pl.col("value")
    return frame.group_by(by, maintain_order=True).agg(
        n=value.count().cast(pl.Int64),
        mean=value.mean(),
        sd=value.std(ddof=1),
        ratio=(value / pl.col("chance")).mean(),
    )


def _tokens(
    values: pl.DataFrame, tokens: pl.DataFrame, declared: Mapping[int, Keys]
) -> pl.DataFrame:
    """Return the most frequent token at every sink, and whether all texts declare it."""
    places = values.select(*KEY, "item").unique(maintain_order=True)
    said = [bool(declared[i][p]) for i, p in places.select("item", "position").iter_rows()]
    named = places.with_columns(declared=pl.Series(said, dtype=pl.Boolean)).join(
        tokens.select("item", "position", "token"), on=["item", "position"], how="left",
        maintain_order="left",
    )  # fmt: skip
    all_declared = named.group_by(KEY).agg(pl.col("declared").all())
    counted = named.group_by(*KEY, "token").agg(times=pl.len())
    shares = counted.with_columns(token_share=pl.col("times") / pl.col("times").sum().over(KEY))
    first = shares.sort(*KEY, "times", "token", descending=[False] * 3 + [True, False]).unique(
        KEY, keep="first", maintain_order=True
    )
    return first.drop("times").join(all_declared, on=KEY)
