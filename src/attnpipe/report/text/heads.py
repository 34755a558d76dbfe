"""The most focused and the most distributed heads of a variant."""

from collections.abc import Mapping

import polars as pl

from attnpipe.diagnosis.text.heads import SHOWN
from attnpipe.diagnosis.text.readable import visible
from attnpipe.report.listing import Listing, listing

COLUMNS = {
    "layer": "layer",
    "head": "head",
    "entropy": "entropy",
    "entropy / ln n": "entropy_normalized",
    "largest weight": "max_weight",
    "on token": "focus_token",
    "share": "focus_share",
    "position": "focus_position",
    "resolved": "focus_resolved",
    "published": "published_rank",
    "n": "n",
}
"""Column as a reader sees it → column of the table."""
TITLES = {"Most focused heads": False, "Most distributed heads": True}


def _own(tables: Mapping[str, pl.DataFrame], variant: str) -> pl.DataFrame | None:
    heads = tables.get("heads")
    if heads is None:
        return None
    rank = pl.col("focused_rank").is_not_null() & (pl.col("checkpoint") == "pretrained")
    return heads.filter((pl.col("variant") == variant) & rank & pl.col("condition").is_null())


def head_listings(tables: Mapping[str, pl.DataFrame], variant: str) -> list[Listing]:
    """Return the five heads of lowest and of highest entropy, as far as there are so many."""
    own = _own(tables, variant)
    if own is None or own.is_empty():
        return []
    token = pl.col("focus_token").map_elements(visible, return_dtype=pl.String)
    shown = own.with_columns(focus_token=token).select(
        "focused_rank", **{name: pl.col(column) for name, column in COLUMNS.items()}
    )
    found = []
    for title, last in TITLES.items():
        ordered = shown.sort("focused_rank", descending=last).head(SHOWN).drop("focused_rank")
        text = (
            f"By entropy of the last token’s row over ln n, mean over questions, of {own.height} "
            "heads. Share: of questions whose largest weight lies on that token. Resolved: of "
            "those whose largest weight exceeds the second by more than "
            "analysis.metrics.peak_tolerance; where few do, the token is noise. Published: rank by "
            "raw entropy."
        )
        found.append(listing(title, "heads.csv", text, ordered))
    return found


def shape(tables: Mapping[str, pl.DataFrame], tokens: int) -> str:
    """Return layers × heads × queries × keys of a text's attention; empty if unknown."""
    heads = tables.get("heads")
    if heads is None or heads.is_empty():
        return ""
    layers, per_layer = (int(heads[c].max()) + 1 for c in ("layer", "head"))  # type: ignore[arg-type]
    return f"{layers} layers × {per_layer} heads × {tokens} × {tokens} tokens"
