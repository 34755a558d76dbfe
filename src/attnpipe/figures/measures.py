"""Names of what figures show twice: of rows, and as published."""

from collections.abc import Mapping

import polars as pl

from attnpipe.figures.selection import likeness

ROWS, PROFILE = "entropy_normalized", "profile_entropy_normalized"
PUBLISHED, CENTRED, PEARSON = "profile_cosine", "centred_cosine", "profile_pearson"


def measures_of(tables: Mapping[str, pl.DataFrame], model: str) -> tuple[str, str]:
    """Return the published measure and the centred one: of profiles where rows are unknown."""
    known = set(likeness(tables, "pair", [CENTRED]).filter(pl.col("model") == model)["model"])
    pearson = likeness(tables, "pair", [PEARSON]).filter(pl.col("model") == model)
    return PUBLISHED, PEARSON if not known and pearson.height else CENTRED
