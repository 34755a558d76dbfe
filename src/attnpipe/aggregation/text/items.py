"""Which text is which question in which variant."""

import polars as pl


def items_of(texts: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """Return one row per text.

    Parameters
    ----------
    texts
        `tables.TEXTS` of one model.
    tokens
        `tables.TOKENS` of the same.

    Returns
    -------
    DataFrame
        ``item``, ``question``, ``variant``, ``shots``; ``texts``: how many the variant has;
        ``even``: whether all these have the same number of tokens.
    """
    length = tokens.group_by("item").agg(length=pl.len())
    return (
        texts.select("item", "question", "variant", "shots")
        .join(length, on="item", how="left")
        .with_columns(
            texts=pl.len().over("variant").cast(pl.Int64),
            even=pl.col("length").n_unique().over("variant") == 1,
        )
        .drop("length")
        .sort("item")
    )


def checkpoints_of(values: pl.LazyFrame) -> list[str]:
    """Return the checkpoints of a run, in the order of its table."""
    names = values.select(pl.col("checkpoint").unique(maintain_order=True)).collect()
    return list(names["checkpoint"])
