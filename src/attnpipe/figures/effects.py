"""Effects of interventions and arms as figures take them from the table."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes

LABELS = {
    "E1": "E1 mean output",
    "E2": "E2 equal weights",
    "E3": "E3 position mean",
    "E4": "E4 permuted rows",
    "R0": "R0 no attention",
    "R1": "R1 equal weights",
    "R2": "R2 static weights",
}
LINEAR = 5.0
"""Multiples of δ up to which the axis is linear; beyond, it is logarithmic."""


Effect = Mapping[str, float | None]
"""`value` and the ends of its interval, `lo95` and `hi95`, which may be unknown."""


def effect(tables: Mapping[str, pl.DataFrame], model: str, code: str) -> Effect | None:
    """Return value and interval of an effect over seeds, in units of skill."""
    rows = _of(tables, model, code).filter(
        (pl.col("level") == "model") & pl.col("value").is_finite()
    )
    return rows.select("value", "lo95", "hi95").row(0, named=True) if rows.height else None


def was_measured(tables: Mapping[str, pl.DataFrame], model: str, code: str) -> bool:
    """Tell whether there is an effect in the unit of the loss: in units of skill it needs skill."""
    rows = _of(tables, model, code, "loss")
    return bool(rows["value"].is_finite().any())


def seeds_of(tables: Mapping[str, pl.DataFrame], model: str, code: str) -> list[float]:
    """Return the effect at each seed, in units of the model's mean skill."""
    rows = _of(tables, model, code).filter(pl.col("level") == "seed").sort("seed")
    return rows["value"].drop_nulls().to_list()


def _of(
    tables: Mapping[str, pl.DataFrame], model: str, code: str, metric: str = "skill_units"
) -> pl.DataFrame:
    return tables["effects"].filter(
        (pl.col("model") == model) & (pl.col("code") == code) & (pl.col("metric") == metric)
    )


def margin_axis(ax: Axes, which: str, delta: float, color: str) -> None:
    """Scale an axis so that both δ and large effects can be read, and shade ±δ."""
    scale = ax.set_xscale if which == "x" else ax.set_yscale
    scale("symlog", linthresh=LINEAR * delta, linscale=1.0)
    shade = ax.axvspan if which == "x" else ax.axhspan
    shade(-delta, delta, color=color, lw=0, zorder=0)
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", "−"))
