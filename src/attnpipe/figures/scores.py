"""Forecast scores as rows of a dot plot."""

from collections.abc import Mapping

import polars as pl

from attnpipe.figures.context import FigureContext
from attnpipe.figures.dots import Row
from attnpipe.figures.gaps import gap
from attnpipe.figures.style import look

Tables = Mapping[str, pl.DataFrame]


def skill_row(tables: Tables, context: FigureContext, model: str) -> Row:
    """Return a model's skill over the best trivial forecast, with its seeds."""
    frame = tables["comparisons"].filter(pl.col("model") == model)
    found = _estimate(frame, "skill", "skill")
    if found is None:
        missing = gap(tables, context, model, values="forecasts").short
        return Row(context.label(model), look(context, model), missing=missing)
    seeds = frame.filter((pl.col("level") == "seed") & (pl.col("metric") == "skill"))
    return Row(
        context.label(model),
        look(context, model),
        seeds.sort("seed")["value"].drop_nulls().to_list(),
        found["value"],
        found["lo95"],
        found["hi95"],
        values=estimate_text(found),
    )


def gain_row(tables: Tables, context: FigureContext, model: str) -> Row:
    """Return a model's gain over its baseline in skill units, with its seeds."""
    baseline = context.baselines.get(model)
    own = look(context, model)
    if baseline is None:
        return Row(context.label(model), own, missing="no baseline named")
    label = f"{context.label(model)} vs {context.label(baseline)}"
    frame = tables["comparisons"].filter(pl.col("model") == model)
    found = _estimate(frame, "gain", "skill_units")
    if found is None:
        missing = "no skill to measure a gain by"
        for name in (model, baseline):
            if (
                _estimate(tables["comparisons"].filter(pl.col("model") == name), "skill", "skill")
                is None
            ):
                missing = gap(tables, context, name, values="forecasts").short
                if name == baseline:
                    missing = f"baseline: {missing}"
                break
        return Row(label, own, missing=missing)
    return Row(
        label,
        own,
        _seed_gains(tables["comparisons"], model, baseline),
        found["value"],
        found["lo95"],
        found["hi95"],
        values=estimate_text(found, sign=True),
    )


def estimate_text(row: Mapping[str, float | None], *, sign: bool = False) -> str:
    """Return ``+0.080 [0.068, 0.092]``, or the value alone where there is no interval."""
    value, lo, hi = row["value"], row["lo95"], row["hi95"]
    text = f"{value:+.3f}" if sign else f"{value:.3f}"
    if lo is not None and hi is not None:
        text += f" [{lo:.3f}, {hi:.3f}]"
    return text.replace("-", "−")


def _estimate(frame: pl.DataFrame, level: str, metric: str) -> dict[str, float | None] | None:
    rows = frame.filter(
        (pl.col("level") == level) & (pl.col("metric") == metric) & pl.col("value").is_finite()
    )
    return rows.select("value", "lo95", "hi95").row(0, named=True) if rows.height else None


def _seed_gains(comparisons: pl.DataFrame, model: str, baseline: str) -> list[float]:
    """Return gains per seed in skill units: the margins say how much loss a unit is."""
    gains = comparisons.filter((pl.col("level") == "gain") & (pl.col("model") == model))
    margins = dict(gains.select("metric", "margin").iter_rows())
    unit, loss = margins.get("skill_units"), margins.get("loss")
    if not unit or not loss:
        return []
    by_seed = comparisons.filter((pl.col("level") == "seed") & (pl.col("metric") == "loss"))
    mine, theirs = (
        by_seed.filter(pl.col("model") == name).select("seed", "value")
        for name in (model, baseline)
    )
    both = mine.join(theirs, on="seed", suffix="_baseline").sort("seed")
    differences = (both["value_baseline"] - both["value"]).drop_nulls()
    return [float(d) * unit / loss for d in differences]
