"""Heads that stand out as evidence: a handful of some hundreds."""

from collections.abc import Iterator

import polars as pl

from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.names import before, key

SCORES = ("previous_token", "next_token", "duplicate_token", "induction")
"""What a head may be known for."""
LEVEL = 0.05
"""Of false discoveries among heads above chance."""
SHOWN = 5
"""Most focused and most distributed heads that are named, as in document 3."""


def scores(summary: pl.DataFrame) -> Iterator[Evidence]:
    """Yield the head with the highest score of each kind, over all variants.

    Facts: chance level, `heads` compared, and how many of them lie above chance in the same
    variant (`above`), adjusted over these heads (`p_bh`).
    """
    wanted = summary.filter(
        pl.col("metric").is_in(SCORES)
        & (pl.col("rows") == "all")
        & pl.col("condition").is_null()
        & pl.col("head").is_not_null()
        & pl.col("mean").is_not_null()
    )
    best = ["model", "checkpoint", "metric"]
    counted = wanted.with_columns(
        heads=pl.len().over(*best, "variant"),
        above=((pl.col("p_bh") < LEVEL) & (pl.col("mean") > pl.col("chance")))
        .sum()
        .over(*best, "variant"),
    )
    order = ["mean", "variant", "layer", "head"]
    descending = [True, False, False, False]
    first = counted.sort(order, descending=descending).group_by(best, maintain_order=True).first()
    columns = ("model", "checkpoint", "variant", "layer", "head", "condition", "rows", "target",
               "metric")  # fmt: skip
    for row in first.iter_rows(named=True):
        yield Evidence(
            id=key(before("score", row), row["metric"]),
            table="text_summary.csv",
            row={column: row[column] for column in columns},
            estimate=row["mean"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_units=row["n"],
            unit="mass",
            facts={name: row[name] for name in ("chance", "heads", "above", "p_bh")},
        )


def heads(table: pl.DataFrame) -> Iterator[Evidence]:
    """Yield the most focused and the most distributed heads of every variant, sinks included."""
    rank, last = pl.col("focused_rank"), pl.len().over("model", "checkpoint", "variant")
    known = table.filter(rank.is_not_null() & pl.col("condition").is_null()).with_columns(of=last)
    chosen = known.filter((rank <= SHOWN) | (rank > pl.col("of") - SHOWN))
    for row in chosen.iter_rows(named=True):
        yield Evidence(
            id=key(before("head", row), row["variant"], f"l{row['layer']}h{row['head']}"),
            table="heads.csv",
            row={
                c: row[c] for c in ("model", "checkpoint", "variant", "condition", "layer", "head")
            },
            estimate=row["entropy_normalized"],
            n_units=row["n"],
            unit="of ln n",
            facts={
                name: row[name]
                for name in ("focused_rank", "published_rank", "focus_token", "focus_share", "of")
            },
        )
