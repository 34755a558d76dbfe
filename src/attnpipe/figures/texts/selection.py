"""What figures of texts take from the study's tables."""

from collections.abc import Sequence

import polars as pl
from matplotlib.figure import Figure

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest
from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import Words, empty_sheet
from attnpipe.figures.selection import Tables
from attnpipe.figures.style import SMALL, TEXT
from attnpipe.figures.text import shorten

PRETRAINED, UNTRAINED = "pretrained", "untrained"
CONDITIONS = {
    "all_keys": None,
    "sinks_removed": "sinks_removed",
    "found_sinks_removed": "found_sinks_removed",
}
"""View → condition in the tables."""
OFF_SINKS = "without sinks, the rest rescaled to 1"
OFF = {
    "sinks_removed": f", {OFF_SINKS}",
    "found_sinks_removed": ", without declared sinks and those that the weights show, the rest "
    "rescaled to 1",
}
"""Condition → how a subtitle says it."""
MAPS, DISTANCES = DENSE = ("maps of attention", "distances between heads")
"""What texts of too many tokens do not have."""


def condition_of(figure: str, view: str | None, default: str = "all_keys") -> str | None:
    """Return the condition of a view, or say which views there are."""
    return CONDITIONS[chosen(figure, view, list(CONDITIONS), default)]


def chosen(
    figure: str, view: str | None, known: Sequence[str], default: str | None = None, hint: str = ""
) -> str:
    """Return the view of a figure: the one asked for, `default`, or the first there is.

    Raises
    ------
    UserError
        The tables do not have the view that was asked for.
    """
    if view is None:
        return default if default is not None and default in known else known[0]
    if view not in known:
        raise UserError(
            f"figure.show.{figure}.view is '{view}', which the tables do not have: "
            f"{nearest(view, list(known))} (there is {', '.join(known)}){hint}"
        )
    return view


def summary(
    tables: Tables,
    metrics: Sequence[str],
    rows: str,
    *,
    condition: str | None = None,
    checkpoint: str = PRETRAINED,
) -> pl.DataFrame:
    """Return rows of `text_summary` about whole rows of attention: no key, no lag."""
    return tables["text_summary"].filter(
        pl.col("metric").is_in(list(metrics))
        & (pl.col("rows") == rows)
        & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        & (pl.col("checkpoint") == checkpoint)
        & pl.col("target").is_null()
        & pl.col("mean").is_finite()
    )


def by_layer(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are means over the heads of one layer, in order."""
    one = pl.col("layer").is_not_null() & pl.col("head").is_null()
    return frame.filter(one).sort("model", "variant", "layer")


def overall(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are means over all layers and heads."""
    return frame.filter(pl.col("layer").is_null() & pl.col("head").is_null())


def segments(tables: Tables, measures: Sequence[str], condition: str | None = None) -> pl.DataFrame:
    """Return rows of `segment_summary` where all occurrences of a span count together."""
    return tables["segment_summary"].filter(
        pl.col("measure").is_in(list(measures))
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        & pl.col("occurrence").is_null()
        & pl.col("mean").is_finite()
    )


def split_models(
    context: FigureContext, frame: pl.DataFrame, most: int
) -> tuple[list[str], list[str]]:
    """Return the models that a frame speaks of, and the study's others."""
    present = set(frame["model"])
    found = [m for m in context.attention_models if m in present]
    return found[:most], [m for m in context.attention_models if m not in present]


def why_absent(tables: Tables, model: str, values: str) -> str:
    """Say why a model has nothing to draw: its run, or what it does not have."""
    runs = tables["inventory"].filter(pl.col("model") == model)
    if runs.is_empty():
        return "no run found"
    run = runs.row(0, named=True)
    if run["outcome"] != "ok":
        return f"run {run['outcome']}" + (f" ({run['reason']})" if run["reason"] else "")
    long = too_long(tables, model) if values in DENSE else {}
    return f"no {values}" + (f": {next(iter(long.values()))}" if long else "")


def too_long(tables: Tables, model: str) -> dict[str, str]:
    """Return variant → why nothing per query and key is known of it, in the order of the texts."""
    texts = tables["answers"].filter(
        (pl.col("model") == model) & pl.col("over_limit").is_not_null()
    )
    lengths = texts.group_by("variant").agg(
        pl.col("tokens").min().alias("least"), pl.col("tokens").max().alias("most"),
        pl.col("over_limit").first(), pl.col("item").min(),
    )  # fmt: skip
    return {
        row["variant"]: f"{_span(row['least'], row['most'])} tokens, more than "
        f"analysis.text.dense_limit {row['over_limit']}"
        for row in lengths.sort("item").iter_rows(named=True)
    }


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def absence_notes(
    tables: Tables, context: FigureContext, absent: Sequence[str], values: str
) -> list[str]:
    """Name the models that a figure has nothing of, and why."""
    lines = [f"{context.label(m)}: {why_absent(tables, m, values)}." for m in absent]
    return lines if len(lines) <= 3 else [*lines[:3], f"{len(lines) - 3} more without {values}."]


def cut_note(shown: int, present: int, what: str = "models") -> list[str]:
    """Say how many of several are shown, if not all."""
    if shown >= present:
        return []
    return [f"The first {shown} of {present} {what}; all values are in the tables."]


def nothing(tables: Tables, context: FigureContext, title: str, values: str) -> Figure:
    """Return a figure that says why nothing at all can be drawn."""
    models = context.attention_models
    why = f"no {values}" if models else "no model of this study has attention"
    if len(models) == 1:
        return empty_sheet(context, Words(title), why_absent(tables, models[0], values))
    notes = absence_notes(tables, context, models, values)
    return empty_sheet(context, Words(title, notes=notes), why)


def of_prompt(frame: pl.DataFrame, model: str, variant: str) -> pl.DataFrame:
    """Return the rows of one model and variant."""
    return frame.filter((pl.col("model") == model) & (pl.col("variant") == variant))


def panel_title(context: FigureContext, model: str, name: str, room: float) -> str:
    """Return a panel's title, below the model's label where the study has several."""
    several = len(context.attention_models) > 1
    lines = [context.label(model), name] if several else [name]
    return "\n".join(shorten(line, room, TEXT) for line in lines)


def model_note(context: FigureContext, model: str, text: str) -> str:
    """Return a note on a model, which names it where the study has several."""
    if len(context.attention_models) > 1:
        return f"{shorten(context.label(model), 1.6, SMALL)}: {text}"
    return text[0].upper() + text[1:]
