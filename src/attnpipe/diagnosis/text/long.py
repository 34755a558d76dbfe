"""Prompts of too many tokens to be looked at weight by weight, as evidence."""

from collections.abc import Iterator

import polars as pl

from attnpipe.diagnosis.schema import Evidence
from attnpipe.diagnosis.text.names import key

KIND = "over_limit"


def over_limit(answers: pl.DataFrame) -> Iterator[Evidence]:
    """Yield the first text of each variant that is longer than the limit."""
    long = answers.filter(pl.col(KIND).is_not_null()).sort("model", "item")
    for row in long.unique(["model", "variant"], keep="first", maintain_order=True).iter_rows(
        named=True
    ):
        yield Evidence(
            id=key(KIND, row["model"], row["variant"]),
            table="answers.csv",
            row={column: row[column] for column in ("model", "item")},
            facts={column: row[column] for column in ("variant", "tokens", KIND)},
        )
