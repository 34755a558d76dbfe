"""Differences between prompts as evidence."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from attnpipe.aggregation.text.names import PRETRAINED, SINKS_REMOVED
from attnpipe.diagnosis.schema import Cell, Evidence
from attnpipe.diagnosis.text.names import key
from attnpipe.metrics.tokens.data_sinks import FOUND_SINKS_REMOVED

SENSITIVITY = "sensitivity"
"""Family whose single layers are evidence of their own; those of others are counted."""
ALPHA = 0.05
"""Level of adjusted p values."""
TEST = ("model", "checkpoint", "family", "layer", "head", "span", "measure", "a", "b")
"""Columns that tell contrasts apart."""
UNITS = {
    "mass": "of the weight",
    "mass_per_token": "of the weight per token",
    "mass_relative": "of uniform attention",
    "entropy": "nats",
}
"""Measure → unit; distances have none."""


def contrasts(frame: pl.DataFrame) -> Iterator[Evidence]:
    """Yield contrasts over all layers, and single layers where layers are asked about.

    Facts of the others tell of how many layers (`layers`) p stays below 0.05 when it is
    adjusted by Benjamini and Hochberg (`layers_bh`) and Benjamini and Yekutieli (`layers_by`).
    """
    own = frame.filter((pl.col("checkpoint") == PRETRAINED) & pl.col("head").is_null())
    same = [column for column in TEST if column != "layer"]
    of_layers = own.filter(pl.col("layer").is_not_null())
    counts = of_layers.group_by(same).agg(
        layers=pl.len().cast(pl.Int64),
        layers_bh=(pl.col("p_bh") < ALPHA).sum().cast(pl.Int64),
        layers_by=(pl.col("p_by") < ALPHA).sum().cast(pl.Int64),
    )
    overall = own.filter(pl.col("layer").is_null())
    overall = overall.join(counts, on=same, how="left", nulls_equal=True)
    for row in overall.iter_rows(named=True):
        facts = ("hedges_g", "p", "p_holm", "layers", "layers_bh", "layers_by")
        yield _evidence(row, {name: row[name] for name in facts})
    for row in of_layers.filter(pl.col("family") == SENSITIVITY).iter_rows(named=True):
        yield _evidence(row, {name: row[name] for name in ("p", "p_bh", "p_by")})


def _evidence(row: Mapping[str, Any], facts: Mapping[str, Cell]) -> Evidence:
    layer = None if row["layer"] is None else f"l{row['layer']}"
    parts = ("model", "family", "a", "b", "span", "measure")
    low, high = ninety(row["n"], row["mean"], row["lo95"], row["hi95"])
    return Evidence(
        id=key("contrast", *(row[part] for part in parts), layer),
        table="text_contrasts.csv",
        row={column: row[column] for column in TEST},
        estimate=row["mean"],
        lo95=row["lo95"],
        hi95=row["hi95"],
        n_units=row["n"],
        unit=UNITS.get(_bare(row["measure"]), ""),
        facts={"lo90": low, "hi90": high, **facts},
    )


def _bare(measure: str) -> str:
    """Return a measure without what tells which sinks were removed."""
    for condition in (FOUND_SINKS_REMOVED, SINKS_REMOVED):
        measure = measure.removesuffix(f"_{condition}")
    return measure


def ninety(
    n: int, mean: float | None, low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """Return the 90 % t interval that belongs to a 95 % one with n − 1 degrees of freedom.

    With fewer degrees of freedom, as Welch's are, it is wider than need be: equivalence is
    then claimed too seldom, not too often.
    """
    from attnpipe.stats.estimate import t_quantile  # slow to load, needed here alone

    if mean is None or low is None or high is None or n < 2:
        return None, None
    ratio = t_quantile(n - 1.0, 0.90) / t_quantile(n - 1.0, 0.95)
    half = ratio * (high - low) / 2
    return mean - half, mean + half
