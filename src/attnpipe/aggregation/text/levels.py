"""Values per head and text → statistics over questions, of heads, layers and models.

The unit is the question. Means over heads, then over layers, are taken of each question
first, so that their spread over questions is that of the mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import stdtrit

from attnpipe.aggregation.text.chunks import UNIT, chunks
from attnpipe.stats.confidence import CONFIDENCE

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Series:
    """How a long table is read.

    Attributes
    ----------
    keys
        Columns that tell series apart, besides model, layer and head.
    values
        Columns that are summarised.
    extras
        Columns of which the mean is given along.
    """

    keys: Sequence[str]
    values: Sequence[str] = ("value",)
    extras: Sequence[str] = ()

    @property
    def numbers(self) -> list[str]:
        """All columns that are averaged."""
        return [*self.values, *self.extras]


def unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame."""
    return frame


def over_questions(
    table: pl.LazyFrame,
    items: pl.DataFrame,
    series: Series,
    *,
    prepare: Change = unchanged,
    pool: Change = unchanged,
) -> pl.DataFrame:
    """Return statistics over questions per head, per layer (head null) and of all (both null).

    Parameters
    ----------
    table
        With ``layer``, ``head`` (null: already a mean over heads), ``item`` and the columns
        of `series`. Rows without a layer are left out.
    items
        As of `items.items_of`.
    series
        What its columns are.
    prepare
        Done with the rows once they are read.
    pool
        Done with them before heads are averaged.

    Returns
    -------
    DataFrame
        ``variant``, ``layer``, ``head``, keys, ``measure`` (which of the values), ``n``
        (questions that have it), ``mean``, ``sd``, ``lo95``, ``hi95``, extras, and
        ``present``: texts that have the row at all.
    """
    found = []
    sums: pl.DataFrame | None = None
    for part in map(prepare, chunks(table, items, series.numbers)):
        heads = part.filter(pl.col("head").is_not_null())
        means = _over_heads(pool(part), series)
        found += [
            _statistics(heads, ["layer", "head"], series),
            _statistics(means, ["layer"], series),
        ]
        sums = _add(sums, means, series)
    assert sums is not None  # there is at least one chunk
    found.append(_statistics(_over_layers(sums, series), [], series))
    return with_intervals(_long(pl.concat(found, how="diagonal"), series))


def by_question(table: pl.LazyFrame, items: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Return each question's mean over heads, per layer and (layer null) over all layers.

    Parameters are those of `over_questions`; the result has ``variant``, ``question``,
    ``item``, ``layer``, keys, ``measure`` and ``value``.
    """
    found = []
    sums: pl.DataFrame | None = None
    for part in chunks(table, items, series.numbers):
        found.append(_over_heads(part, series))
        sums = _add(sums, found[-1], series)
    assert sums is not None  # there is at least one chunk
    both = pl.concat([*found, _over_layers(sums, series)], how="diagonal")
    same = [*UNIT, "layer", *series.keys]
    return pl.concat(
        both.select(*same, measure=pl.lit(value), value=pl.col(value)) for value in series.values
    )


def with_intervals(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the ends of the t interval of ``mean`` from ``sd`` and ``n``; null for n < 2."""
    counts, place = np.unique(frame["n"].to_numpy(), return_inverse=True)
    df = np.where(counts > 1, counts - 1.0, np.nan)
    factors = stdtrit(df, 0.5 + CONFIDENCE / 2) / np.sqrt(np.maximum(counts, 1))
    half = pl.Series(factors[place]).fill_nan(None) * frame["sd"]
    return frame.with_columns(lo95=pl.col("mean") - half, hi95=pl.col("mean") + half)


def _statistics(frame: pl.DataFrame, place: list[str], series: Series) -> pl.DataFrame:
    """Return number, mean and spread of every value, as columns of their own."""
    values = pl.col(series.values)
    return frame.group_by("variant", *place, *series.keys, maintain_order=True).agg(
        values.count().cast(pl.Int64).name.prefix("n."),
        values.mean().name.prefix("mean."),
        values.std(ddof=1).name.prefix("sd."),
        pl.col(series.extras).mean(),
        pl.len().cast(pl.Int64).alias("present"),
    )


def _long(frame: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Return one row per value instead."""
    same = ["variant", "layer", "head", *series.keys, *series.extras, "present"]
    parts = [
        frame.select(
            *same,
            *(pl.col(f"{name}.{value}").alias(name) for name in ("n", "mean", "sd")),
            measure=pl.lit(value),
        )
        for value in series.values
    ]
    return pl.concat(parts)


def _over_heads(frame: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Return each text's mean over heads, or what is given as such."""
    by = [*UNIT, "layer", *series.keys]
    columns = [*by, *series.numbers]
    given = frame.filter(pl.col("head").is_null()).select(columns)
    averaged = (
        frame.filter(pl.col("head").is_not_null())
        .group_by(by, maintain_order=True)
        .agg(pl.col(series.numbers).mean())
    )
    if len(given):
        averaged = averaged.join(given, on=by, how="anti", nulls_equal=True, maintain_order="left")
    return pl.concat([averaged, given])


def _add(sums: pl.DataFrame | None, means: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Add some layers to the running sums and counts of every text."""
    counts = [f"n.{column}" for column in series.numbers]
    known = pl.col(series.numbers).is_not_null().cast(pl.Int64).name.prefix("n.")
    layers = means.select(*UNIT, *series.keys, *series.numbers, known)
    both = layers if sums is None else pl.concat([sums, layers])
    by = [*UNIT, *series.keys]
    return both.group_by(by, maintain_order=True).agg(pl.col(*series.numbers, *counts).sum())


def _over_layers(sums: pl.DataFrame, series: Series) -> pl.DataFrame:
    """Return each text's mean over layers; null where no layer has a value."""
    means = [
        pl.when(pl.col(f"n.{column}") > 0).then(pl.col(column) / pl.col(f"n.{column}"))
        for column in series.numbers
    ]
    return sums.select(*UNIT, *series.keys, *means)
