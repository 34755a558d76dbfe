"""Answers → table `accuracy`."""

import polars as pl

from attnpipe.stats.wilson import wilson_interval
from attnpipe.tables.text import ACCURACY


def accuracy(model: str, answers: pl.DataFrame) -> pl.DataFrame:
    """Return the share of right answers of each variant, with Wilson's interval.

    Parameters
    ----------
    model
        Name of the model.
    answers
        `tables.ANSWERS`; texts without a right answer count for the losses only. A question
        without an answer is not answered right, but not wrong either: such are counted apart.
    """
    counts = {
        reading: (pl.col("reading") == reading).sum().cast(pl.Int64)
        for reading in ("wrong", "none", "unfinished", "empty")
    }
    found = answers.group_by("variant", maintain_order=True).agg(
        n=pl.col("correct").count().cast(pl.Int64),
        correct=pl.col("correct").sum().cast(pl.Int64),
        **counts,
        accuracy=pl.col("correct").mean(),
        loss=pl.col("loss").fill_nan(None).mean(),
        answer_loss=pl.col("answer_loss").fill_nan(None).mean(),
    )
    ends = [wilson_interval(right, n) for right, n in found.select("correct", "n").rows()]
    return ACCURACY.conform(
        found.with_columns(
            pl.Series("lo95", [lo for lo, _ in ends], dtype=pl.Float64).fill_nan(None),
            pl.Series("hi95", [hi for _, hi in ends], dtype=pl.Float64).fill_nan(None),
            model=pl.lit(model),
        )
    )
