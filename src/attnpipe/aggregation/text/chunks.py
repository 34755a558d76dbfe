"""Long tables of a run, some whole layers at a time."""

from collections.abc import Iterator, Sequence

import polars as pl

ROWS = 500_000
"""Rows held at a time, or one layer's if that has more: some hundred megabytes."""
UNIT = ("item", "variant", "question")


def chunks(
    values: pl.LazyFrame, items: pl.DataFrame, numbers: Sequence[str], rows: int = ROWS
) -> Iterator[pl.DataFrame]:
    """Yield a lazy table's rows with their questions, in the order of layers.

    Each pass over a file costs the same, however few layers are taken of it; all at once
    would not fit in memory. Texts become codes, which are quicker to group by.

    Parameters
    ----------
    values
        With ``layer`` and ``item``; rows without a layer are left out.
    items
        As of `items.items_of`.
    numbers
        Columns that are averaged: they become real, NaN null.
    rows
        How many at a time.

    Yields
    ------
    DataFrame
        All rows of some layers, once without any if there are none.
    """
    counts = values.filter(pl.col("layer").is_not_null()).group_by("layer").agg(n=pl.len())
    for layers in _groups(counts.sort("layer").collect(), rows) or [[]]:
        frame = values.filter(pl.col("layer").is_in(layers)).collect()
        yield frame.with_columns(
            pl.col(pl.String).cast(pl.Categorical),
            pl.col(numbers).cast(pl.Float64).fill_nan(None),
        ).join(items.select(UNIT), on="item", maintain_order="left")


def _groups(counts: pl.DataFrame, rows: int) -> list[list[int]]:
    """Return neighbouring layers that together have at most so many rows."""
    groups: list[list[int]] = []
    held = 0
    for layer, n in counts.rows():
        if not groups or held + n > rows:
            groups.append([])
            held = 0
        groups[-1].append(layer)
        held += n
    return groups
