"""Do seeds agree more than independent heads would? Likeness beside its nulls."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import (
    MAX_ROWS,
    Row,
    draw_rows,
    key,
    label_room,
    panel_height,
    reference_line,
    rule_key,
)
from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.layout import Words, empty_sheet, sheet, shown
from attnpipe.figures.measures import seeds_note
from attnpipe.figures.selection import final_checkpoint
from attnpipe.figures.style import look, styled
from attnpipe.schema.figure import FigureOptions

MEASURE = "matched_cosine"
UNTRAINED, POSITION, RANDOM = "s", "^", "x"
"""Markers of the other nulls."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one row per model and layer: pairs of seeds, their mean, the null."""
    found = tables["similarity"].filter(pl.col("measure") == MEASURE)
    finals = final_checkpoint(tables)
    places = [
        (model, layer)
        for model in context.attention_models
        for layer in _layers(found, model, finals) or [None]
    ]
    names, cut = shown([f"{m} {layer}" for m, layer in places], MAX_ROWS)
    words = Words(
        title="Do seeds agree more than independent heads would?",
        subtitle="Centred cosine of rows between seeds, on half B of the probe set; heads of a "
        "layer are matched on half A. Null: every head rotated along its keys, matched in the "
        "same way; the mark is its mean, the line ends where 95 % of draws lie below. Position "
        "and random keys are shown where a layer has one head, on all samples.",
        xlabel="likeness of two seeds",
        notes=[
            *cut,
            *seeds_note(context),
            *gap_notes(tables, context, list(context.attention_models)),
        ],
    )
    if not places:
        return empty_sheet(context, words, "no model of this study has attention")
    legend = [
        key("one pair of seeds", size=2.2),
        key(f"mean and {PERCENT} interval (jackknife over seeds)", line=True),
        key("null: mean and upper end", marker="D", hollow=True, thin=True),
        key("before training", marker=UNTRAINED, hollow=True),
        key("mean rows of positions", marker=POSITION, hollow=True),
        key("rows as sharp at random keys: upper end", marker=RANDOM),
        rule_key("unrelated"),
    ]
    figure = sheet(context, words, [panel_height(len(names))], legend)
    ax = figure.subplots()
    several = any(layer not in (None, 0) for _, layer in places)
    rows = [
        _row(tables, context, found, finals, model, layer, several)
        for model, layer in places[: len(names)]
    ]
    draw_rows(ax, rows, labels=True, room=label_room(context), digits=2)
    reference_line(ax, 0.0)
    ax.set_xlim(-1.05, 1.05)
    return figure


def _layers(found: pl.DataFrame, model: str, finals: Mapping[str, str]) -> list[Any]:
    own = found.filter(
        (pl.col("model") == model)
        & (pl.col("level") == "layer")
        & (pl.col("checkpoint") == finals.get(model, ""))
        & pl.col("value").is_finite()
    )
    return sorted(own["layer"].to_list())


def _row(
    tables: Mapping[str, pl.DataFrame],
    context: FigureContext,
    found: pl.DataFrame,
    finals: Mapping[str, str],
    model: str,
    layer: int | None,
    several: bool,
) -> Row:
    label = context.label(model) + (f", layer {layer}" if several and layer is not None else "")
    own = look(context, model)
    if layer is None:
        missing = gap(tables, context, model, "centred_cosine", pairs=True)
        return Row(label, own, missing=missing.short)
    at = found.filter(
        (pl.col("model") == model)
        & (pl.col("layer") == layer)
        & (pl.col("checkpoint") == finals[model])
    )
    mean = at.filter(pl.col("level") == "layer").row(0, named=True)
    pairs = at.filter((pl.col("level") == "pair") & pl.col("value").is_finite())["value"]
    return Row(
        label,
        own,
        pairs.to_list(),
        mean["value"],
        mean["lo95"],
        mean["hi95"],
        reference=mean["null_mean"],
        reference_lo=mean["null_mean"],
        reference_hi=mean["null_hi95"],
        others=_others(tables, model, layer, finals[model]),
    )


def _others(
    tables: Mapping[str, pl.DataFrame], model: str, layer: int, final: str
) -> list[tuple[str, float]]:
    """Return what an untrained model gives; for a single head, position and chance as well."""
    own = tables["similarity"].filter((pl.col("model") == model) & (pl.col("layer") == layer))
    wanted = [(UNTRAINED, "layer", "untrained", MEASURE, "value")]
    if own.filter(pl.col("level") == "model")["head"].n_unique() == 1:
        wanted += [
            (POSITION, "model", final, "position_cosine", "value"),
            (RANDOM, "model", final, "centred_cosine", "null_hi95"),
        ]
    found = []
    for marker, level, checkpoint, measure, column in wanted:
        at = own.filter(
            (pl.col("level") == level)
            & (pl.col("checkpoint") == checkpoint)
            & (pl.col("measure") == measure)
        )
        found += [(marker, value) for value in at[column].drop_nulls().drop_nans()]
    return found
