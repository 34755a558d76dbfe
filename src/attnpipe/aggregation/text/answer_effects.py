"""What answers lose when attention is replaced → table `text_effects`."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.special import stdtrit

from attnpipe.stats.confidence import TOST_CONFIDENCE
from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm
from attnpipe.stats.paired import paired_differences
from attnpipe.stats.paired_ratio import contributions, paired_ratio
from attnpipe.tables.text import TEXT_EFFECTS, TEXT_INTERVENTIONS

INTACT, OTHERS, ALL = "intact", "other_answer", "all"
CODES = {"uniform": "E2", "position_mean": "E3", "permuted": "E4"}

PerQuestion = Float[np.ndarray, " question"]
PerRow = Float[np.ndarray, "row question"]


def answer_effects(model: str, replaced: pl.DataFrame | None) -> pl.DataFrame:
    """Return mean differences over questions, paired, with their intervals.

    A loss differs from the intact one of the same text (`delta`). Over several variants the mean of
    a question is taken first: questions are the unit. In skill units the mean is divided by
    that of `other_answer`, whose questions are the same (`stats.paired_ratio`).

    Parameters
    ----------
    model
        Name of the model.
    replaced
        `tables.TEXT_INTERVENTIONS`, or None where nothing was replaced.

    Returns
    -------
    DataFrame
        `tables.TEXT_EFFECTS`. No skill units where another question's answer is as likely.
    """
    if replaced is None or not len(replaced):
        return TEXT_EFFECTS.frame()
    deltas = TEXT_INTERVENTIONS.conform(replaced).filter(pl.col("intervention") != INTACT)
    parts = [_rows(variant, rows) for variant, rows in _variants(deltas)]
    table = _adjusted(pl.concat(parts)).with_columns(model=pl.lit(model))
    return TEXT_EFFECTS.conform(table)


def _variants(deltas: pl.DataFrame) -> Iterator[tuple[str | None, pl.DataFrame]]:
    """Yield each variant and, where there are several, their mean by question."""
    variants = deltas["variant"].unique(maintain_order=True).to_list()
    for variant in variants:
        yield variant, deltas.filter(pl.col("variant") == variant)
    if len(variants) > 1:
        keys = ["question", "intervention", "layers"]
        mean = pl.when(pl.col("delta").null_count() == 0).then(pl.col("delta").mean())
        yield None, deltas.group_by(keys, maintain_order=True).agg(delta=mean)


def _rows(variant: str | None, deltas: pl.DataFrame) -> pl.DataFrame:
    """Return both metrics of every intervention and group of layers."""
    wide = deltas.pivot(
        on=["intervention", "layers"], index="question", values="delta", sort_columns=False
    ).sort("question")
    keys = deltas.select("intervention", "layers").unique(maintain_order=True)
    columns = [c for c in wide.columns if c != "question"]
    values = wide.select(columns).to_numpy().T.astype(np.float64)
    told = values[keys["intervention"].to_list().index(OTHERS)]
    known = keys["intervention"].to_numpy() != OTHERS
    replaced = keys.filter(pl.Series(known))
    parts = [_table(keys, "nats", values), _in_units(replaced, values[known], told)]
    return pl.concat(parts).with_columns(variant=pl.lit(variant, dtype=pl.String))


def _table(keys: pl.DataFrame, metric: str, values: PerRow) -> pl.DataFrame:
    found = paired_differences(values)
    df = np.where(found.n > 1, found.n - 1.0, np.nan)
    half = stdtrit(df, 0.5 + TOST_CONFIDENCE / 2) * found.sd / np.sqrt(np.maximum(found.n, 1))
    names = ("n", "mean", "sd", "lo95", "hi95", "hedges_g", "p")
    columns = {name: pl.Series(name, getattr(found, name)) for name in names}
    return keys.with_columns(
        metric=pl.lit(metric),
        code=pl.col("intervention").replace_strict(CODES, default=None, return_dtype=pl.String),
        **columns,
        lo90=pl.Series(found.mean - half),
        hi90=pl.Series(found.mean + half),
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def _in_units(keys: pl.DataFrame, values: PerRow, told: PerQuestion) -> pl.DataFrame:
    """Return the same divided by what is told; an effect is 0 where its numerator is."""
    both = ~np.isnan(values) & ~np.isnan(told)
    p = paired_differences(np.where(both, values, np.nan)).p
    ratios = [paired_ratio(row, told) for row in values]
    ends = np.array([r.interval() + r.interval(TOST_CONFIDENCE) for r in ratios]).reshape(-1, 4)
    units = np.stack([contributions(row, told) for row in values])
    no_ratio = np.isnan(units).all(axis=1)
    columns = [
        pl.Series(name, value)
        for name, value in zip(("lo95", "hi95", "lo90", "hi90"), ends.T, strict=True)
    ]
    table = _table(keys, "skill_units", units)
    return table.with_columns(*columns, p=pl.Series(np.where(no_ratio, np.nan, p))).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


def _adjusted(table: pl.DataFrame) -> pl.DataFrame:
    """Adjust p within a variant and metric: few tests that decide, many that explore."""
    done = []
    numbered = table.with_row_index("place").with_columns(whole=pl.col("layers") == ALL)
    for part in numbered.partition_by("variant", "metric", "whole"):
        p = part["p"].fill_null(np.nan).to_numpy()
        methods = {"p_holm": holm} if part["whole"][0] else {
            "p_bh": benjamini_hochberg, "p_by": benjamini_yekutieli,
        }  # fmt: skip
        if part["whole"][0] is None:
            methods = {}
        done.append(
            TEXT_EFFECTS.conform(
                part.drop("place", "whole").with_columns(
                    [pl.Series(name, of(p)).fill_nan(None) for name, of in methods.items()]
                )
            ).with_columns(place=part["place"])
        )
    return pl.concat(done).sort("place").drop("place")
