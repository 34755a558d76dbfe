"""How much of the last token's attention the parts of a prompt get."""

from collections.abc import Mapping

import polars as pl

from attnpipe.diagnosis.text.keywords import KEYWORD
from attnpipe.diagnosis.text.readable import visible
from attnpipe.report.listing import Listing, listing

MEASURES = {
    "per token": "mass_per_token",
    "over uniform": "mass_relative",
    "in all rows": "mass_relative_all_rows",
}
"""Column → measure whose mean stands beside the mass."""


def segment_listing(tables: Mapping[str, pl.DataFrame], variant: str) -> Listing | None:
    """Return the named parts of a variant, those first that get most; None if there are none.

    Last layer, mean over heads, as for keywords: the mass with its interval, that per token,
    and over what uniform attention would give to as many tokens.
    """
    summary = tables.get("segment_summary")
    if summary is None:
        return None
    own = summary.filter(
        ~pl.col("span").str.starts_with(KEYWORD)
        & (pl.col("variant") == variant)
        & (pl.col("checkpoint") == "pretrained")
        & pl.all_horizontal(pl.col("condition", "head", "occurrence").is_null())
        & (pl.col("layer") == pl.col("layer").max().over("model"))
    )
    frame = own.filter(pl.col("measure") == "mass")
    if frame.is_empty():
        return None
    for name, measure in MEASURES.items():
        twin = own.filter(pl.col("measure") == measure).select("span", pl.col("mean").alias(name))
        frame = frame.join(twin, on="span", how="left", maintain_order="left")
    ordered = frame.sort("mean", "span", descending=[True, False], nulls_last=True).select(
        segment=pl.col("span").map_elements(visible, pl.String),
        tokens="n_tokens",
        mass="mean",
        lo95="lo95",
        hi95="hi95",
        **{name: pl.col(name) for name in MEASURES},
        n="n",
    )
    text = (
        "Mean over questions of the last token’s attention to each part of the prompt, last layer, "
        "mean over heads, most attended first; parts may overlap. Over uniform: mass over what "
        "equal weights would give it; in all rows: the same for all tokens that attend and can see "
        "the part. Other layers, and without sinks, are in the file."
    )
    return listing("Segments", "segment_summary.csv", text, ordered)
