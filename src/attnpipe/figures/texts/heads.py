"""Single heads: grids of values, the most focused and the most distributed, clusters."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from attnpipe.figures.selection import Tables
from attnpipe.figures.texts.selection import PRETRAINED
from attnpipe.figures.texts.tokens import readable
from attnpipe.figures.texts.variants import variants_in

NAMED = 5
"""Heads at either end of the ranking that figures point at."""


@dataclass(frozen=True)
class Ends:
    """The heads with the least and the most distributed row of the last token.

    Attributes
    ----------
    focused, distributed
        Rows of the table of heads, the most extreme one first.
    """

    focused: pl.DataFrame
    distributed: pl.DataFrame


def heads_of(
    tables: Tables, model: str, variant: str | None = None, condition: str | None = None
) -> pl.DataFrame:
    """Return a model's rows of the table of heads, of one variant or the first."""
    frame = tables["heads"].filter(
        (pl.col("model") == model)
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
    )
    if variant is None:
        variant = next(iter(variants_in(tables, frame)), "")
    return frame.filter(pl.col("variant") == variant).sort("layer", "head")


def ends(heads: pl.DataFrame) -> Ends:
    """Return the heads at both ends of the ranking, none of them twice."""
    ranked = heads.filter(pl.col("focused_rank").is_not_null()).sort("focused_rank")
    named = min(NAMED, ranked.height // 2)
    return Ends(ranked.head(named), ranked.tail(named).reverse())


def head_name(head: dict[str, object], *, token: bool = False) -> str:
    """Return ``l3h2``, with the token that it looks at."""
    name = f"l{head['layer']}h{head['head']}"
    text = head.get("focus_token")
    return f"{name} “{readable(str(text))}”" if token and text is not None else name


def grid_of(frame: pl.DataFrame) -> Float[np.ndarray, "head layer"]:
    """Return `mean` by head and layer, NaN where there is none."""
    one = frame.filter(pl.col("layer").is_not_null() & pl.col("head").is_not_null())
    layer, head = one["layer"].to_numpy(), one["head"].to_numpy()
    grid = np.full((int(head.max()) + 1, int(layer.max()) + 1), np.nan)
    grid[head, layer] = one["mean"].to_numpy()
    return grid
