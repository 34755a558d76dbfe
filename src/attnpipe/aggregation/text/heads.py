"""What single heads do with the last token's row → table `heads`."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from jaxtyping import Int

from attnpipe.tables.text import HEAD_TABLE

HEAD = ["checkpoint", "variant", "condition", "layer", "head"]
OF_MODEL = [column for column in HEAD if column != "variant"]
FOCUS = "focus_position"
RESOLVED = "peak_resolved_share"


def heads(
    model: str,
    summary: pl.DataFrame,
    metrics: pl.LazyFrame,
    tokens: pl.DataFrame,
    items: pl.DataFrame,
    clusters: Mapping[tuple[str, str | None], Int[np.ndarray, "layer head"]],
    splits: pl.DataFrame,
) -> pl.DataFrame:
    """Return entropy, focus, rank and cluster of every head, variant by variant.

    With all keys, and off the sinks; the focus with the share of questions in which it stands out.

    Parameters
    ----------
    model
        Name of the model.
    summary
        `tables.TEXT_SUMMARY` of it.
    metrics
        `tables.TEXT_METRICS` of its run, for the focus of each text.
    tokens
        `tables.TOKENS`.
    items
        As of `items.items_of`.
    clusters
        Checkpoint and condition → cluster of each head, −1 for none; absent: null.
    splits
        As of `split.last_row_splits`.
    """
    rows = summary.filter(
        (pl.col("rows") == "last") & pl.all_horizontal(pl.col("layer", "head").is_not_null())
    )
    found = rows.filter(pl.col("metric") == "entropy").select(
        *HEAD, "n", entropy="mean", entropy_lo95="lo95", entropy_hi95="hi95"
    )
    parts = [
        rows.filter(pl.col("metric") == metric).select(*HEAD, pl.col("mean").alias(metric))
        for metric in ("entropy_normalized", "max_weight")
    ]
    resolved = rows.filter(pl.col("metric") == RESOLVED)
    parts.append(resolved.select(*HEAD, focus_resolved="mean"))
    parts += [_focus(metrics, tokens, items), _clusters(clusters), splits]
    for part in parts:
        keys = [column for column in HEAD if column in part.columns]
        found = found.join(part, on=keys, how="left", nulls_equal=True, maintain_order="left")
    ranks = (
        pl.col(by)
        .rank("ordinal")
        .over("checkpoint", "variant", "condition")
        .cast(pl.Int64)
        .alias(rank)
        for rank, by in (("focused_rank", "entropy_normalized"), ("published_rank", "entropy"))
    )
    return HEAD_TABLE.conform(found.with_columns(*ranks, model=pl.lit(model)))


def _focus(metrics: pl.LazyFrame, tokens: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return most frequent position and token of the largest weight; the first of tied ones.

    Token texts are counted, not positions: the same word may stand elsewhere in another
    question.
    """
    rows = metrics.filter((pl.col("rows") == "last") & (pl.col("metric") == FOCUS))
    places = (
        rows.filter(pl.col("value").is_not_null())
        .select(*OF_MODEL, "item", position=pl.col("value").cast(pl.Int64))
        .collect()
        .join(items.select("item", "variant"), on="item", maintain_order="left")
        .join(tokens.select("item", "position", "token"), on=["item", "position"], how="left",
              maintain_order="left")
    )  # fmt: skip
    position = _most_frequent(places, "position").select(*HEAD, focus_position="position")
    token = _most_frequent(places, "token").select(*HEAD, "focus_share", focus_token="token")
    return position.join(token, on=HEAD, nulls_equal=True, maintain_order="left")


def _most_frequent(places: pl.DataFrame, column: str) -> pl.DataFrame:
    counted = places.group_by(*HEAD, column).agg(times=pl.len(), earliest=pl.col("position").min())
    shares = counted.with_columns(focus_share=pl.col("times") / pl.col("times").sum().over(HEAD))
    return shares.sort(
        *HEAD, "times", "earliest", column, descending=[False] * len(HEAD) + [True, False, False]
    ).unique(HEAD, keep="first", maintain_order=True)


def _clusters(
    clusters: Mapping[tuple[str, str | None], Int[np.ndarray, "layer head"]],
) -> pl.DataFrame:
    rows = [
        (*where, layer, head, None if label < 0 else int(label))
        for where, labels in clusters.items()
        for (layer, head), label in np.ndenumerate(labels)
    ]
    schema = {name: HEAD_TABLE.schema[name] for name in (*OF_MODEL, "cluster")}
    return pl.DataFrame(rows, schema=schema, orient="row")
