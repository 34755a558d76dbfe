"""Mass on keywords as evidence: by their characters, and by document 3's rule."""

from collections.abc import Iterator

import polars as pl

from attnpipe.aggregation.text.names import PRETRAINED
from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.names import key

KEYWORD = "keyword: "
PUBLISHED = "as_published"
KEYS = ("model", "checkpoint", "variant", "layer", "head", "condition", "span", "occurrence",
        "measure")  # fmt: skip


def pairs(summary: pl.DataFrame) -> pl.DataFrame:
    """Return the comparable rows of `segment_summary`: last layer, mean over heads.

    Document 3's rule is about that layer and that mean too; its rows have neither.
    """
    of_keywords = summary.filter(
        pl.col("span").str.starts_with(KEYWORD)
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("head").is_null()
        & pl.col("occurrence").is_null()
        & pl.col("condition").is_null()
    )
    last = pl.col("layer") == pl.col("layer").max().over("model")
    published = (pl.col("measure") == PUBLISHED) & pl.col("layer").is_null()
    return of_keywords.filter(((pl.col("measure") == "mass") & last) | published)


def keywords(summary: pl.DataFrame) -> Iterator[Evidence]:
    """Yield each keyword's mass by both rules."""
    for row in pairs(summary).iter_rows(named=True):
        word = row["span"].removeprefix(KEYWORD)
        yield Evidence(
            id=key("keyword", row["model"], row["variant"], word, row["measure"]),
            table="segment_summary.csv",
            row={column: row[column] for column in KEYS},
            estimate=row["mean"],
            lo95=row["lo95"],
            hi95=row["hi95"],
            n_units=row["n"],
            unit="of the weight",
            facts={
                "n_matches": row["n_matches"],
                "n_tokens": row["n_tokens"],
                "word": word,
                "variant": row["variant"],
            },
        )
