"""The tokens of one prompt as a table."""

from collections.abc import Mapping

import polars as pl

from attnpipe.diagnosis.text.readable import visible
from attnpipe.report.listing import Listing, listing

ATTENDED = "last_layer"
"""View whose last row stands beside the tokens: the last layer, mean over its heads."""


def token_listing(tables: Mapping[str, pl.DataFrame], item: int) -> Listing | None:
    """Return every token with its id, characters, spans, and the last token's attention to it."""
    own = tables["tokens"].filter(pl.col("item") == item).sort("position")
    if own.is_empty():
        return None
    frame = own.select(
        "position",
        token=_shown("token"),
        id="id",
        characters=pl.format("{}–{}", "start", "end"),
        special=pl.when(pl.col("special")).then(pl.lit("special")),
        spans=_shown("spans"),
    ).join(_attention(tables, item), on="position", how="left", maintain_order="left")
    text = (
        "Every token; · is a space, ⏎ a line break. Attention: the last token’s, last layer, mean "
        "over heads."
    )
    return listing("Tokens", "tokens.csv", text, frame)


def _attention(tables: Mapping[str, pl.DataFrame], item: int) -> pl.DataFrame:
    maps = tables.get("maps")
    if maps is None:
        return pl.DataFrame(schema={"position": pl.Int64, "attention": pl.Float64})
    view = maps.filter(
        (pl.col("item") == item)
        & (pl.col("view") == ATTENDED)
        & (pl.col("checkpoint") == "pretrained")
        & pl.col("condition").is_null()
    )
    last = view.filter(pl.col("query") == pl.col("query").max())
    return last.select(position="key", attention="value")


def _shown(column: str) -> pl.Expr:
    return pl.col(column).map_elements(visible, return_dtype=pl.String)
