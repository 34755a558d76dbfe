"""How much of the last token's attention keywords get, by both rules."""

from collections.abc import Mapping

import polars as pl

from attnpipe.diagnosis.text.keywords import KEYWORD, PUBLISHED, pairs
from attnpipe.diagnosis.text.readable import visible
from attnpipe.report.listing import Listing, listing

NO_MATCH = "no match"


def keyword_listing(tables: Mapping[str, pl.DataFrame], variant: str) -> Listing | None:
    """Return the keywords of a variant, those first that get most; None if there are none."""
    summary = tables.get("segment_summary")
    if summary is None:
        return None
    own = pairs(summary).filter(pl.col("variant") == variant)
    ours = own.filter(pl.col("measure") == "mass")
    theirs = own.filter(pl.col("measure") == PUBLISHED).select(
        "span", published="mean", **{"published matches": "n_matches"}
    )
    if ours.is_empty():
        return None
    matched = pl.col("n_matches") > 0
    frame = (
        ours.join(theirs, on="span", how="left", maintain_order="left")
        .sort(pl.when(matched).then("mean"), "span", descending=[True, False], nulls_last=True)
        .select(
            keyword=pl.col("span").str.strip_prefix(KEYWORD).map_elements(visible, pl.String),
            matches=pl.col("n_matches").map_elements(_matches, pl.String),
            **{name: pl.when(matched).then(column) for name, column in
               {"mass": "mean", "lo95": "lo95", "hi95": "hi95"}.items()},
            n="n",
            published="published",
            **{"published matches": "published matches"},
        )
    )  # fmt: skip
    text = (
        "Mean over questions of the last token’s attention to each keyword, last layer, mean over "
        "heads, most attended first; {first} and {second} are the question’s own operands. "
        "Published: by the earlier rule, which looks for keywords inside of tokens."
    )
    return listing("Keywords", "segment_summary.csv", text, frame)


def _matches(n: float) -> str:
    return f"{n:.3g}" if n > 0 else NO_MATCH
