"""Whether another way of asking changes what the last token attends to."""

import polars as pl

from attnpipe.aggregation.text.differences import between
from attnpipe.aggregation.text.names import ASKED, PLAIN, STEPS


def steps(masses: pl.DataFrame) -> pl.DataFrame:
    """Return differences between thinking step by step and the plain question.

    Compared is the attention to what both prompts share: the question, its operands and
    operator, its tokens before the last one (``intermediate``), and of those the ones that
    are a sink in no variant (``shared``). Where no special token stands first, the plain
    question begins with the sink, and the instruction takes it over: only ``shared`` has the
    same tokens on both sides.

    Parameters
    ----------
    masses
        As of `segments.question_masses`.

    Returns
    -------
    DataFrame
        Differences as of `differences.paired_rows`; empty without both variants.
    """
    shared = masses.filter(pl.col("span").is_in(ASKED))
    return between(shared, STEPS, PLAIN).with_columns(family=pl.lit("steps"))


def variants(masses: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the same differences for every other variant without examples.

    They are a family of their own: how many there are must not weigh on the p of `steps`.

    Parameters
    ----------
    masses
        As of `segments.question_masses`.
    items
        As of `items.items_of`.
    """
    shared = masses.filter(pl.col("span").is_in(ASKED))
    bare = items.filter(pl.col("shots") == 0)["variant"].unique(maintain_order=True)
    frames = [between(shared, v, PLAIN) for v in bare if v not in (PLAIN, STEPS)]
    empty = between(shared.clear(), "", "")
    return pl.concat([empty, *frames]).with_columns(family=pl.lit("variants"))
