"""Is attention used, does it help? Every effect that decides a verdict, against ±δ."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import Row, draw_rows, key, reference_line, rule_key, span
from attnpipe.figures.effects import LABELS, effect, margin_axis, seeds_of, was_measured
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import Words, empty_sheet, sheet, sheet_width, shown
from attnpipe.figures.scores import estimate_text
from attnpipe.figures.style import BAND, TEXT, look, styled
from attnpipe.figures.text import shorten
from attnpipe.schema.figure import FigureOptions

ROW, FRAME = 0.19, 0.42
"""Inches of a row, and of what stands around the rows of a panel."""
MOST_MODELS = 12


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model with its effects E1–E4 and R0–R2."""
    models, cut = shown(context.attention_models, MOST_MODELS)
    words = Words(
        title="Is attention used, and does it help?",
        subtitle="What the model loses when its attention is replaced (E, weights frozen) or was "
        "trained in another way (R), in units of its skill. Right of the band: attention was "
        "good for something. Logarithmic beyond 5 δ.",
        xlabel="loss of skill, as a share of the model's skill",
        notes=[*cut, *gap_notes(tables, context, models)],
    )
    if not models or tables["effects"].is_empty():
        return empty_sheet(context, words, "no attention of this study was replaced")
    color = options.color or BAND
    legend = [
        key("one seed", size=2.2),
        key(f"estimate and {PERCENT} interval (seeds × test units)", line=True),
        rule_key("no effect"),
        Patch(color=color, lw=0, label=f"±δ = {context.delta:g}: too small to matter"),
    ]
    of = {model: [_row(tables, context, model, code) for code in LABELS] for model in models}
    figure = sheet(context, words, [FRAME + ROW * len(LABELS)] * len(models), legend)
    axes = figure.subplots(len(models), 1, squeeze=False, sharex=True)[:, 0]
    limits = span([row for rows in of.values() for row in rows], 0.0, -context.delta, context.delta)
    for ax, (model, rows) in zip(axes, of.items(), strict=True):
        margin_axis(ax, "x", context.delta, color)
        draw_rows(ax, rows, labels=True, room=0.25 * sheet_width(context))
        reference_line(ax, 0.0)
        ax.set_xlim(*limits)
        ax.set_title(shorten(context.label(model), 0.6 * sheet_width(context), TEXT))
    return figure


def _row(tables: Mapping[str, pl.DataFrame], context: FigureContext, model: str, code: str) -> Row:
    found, own = effect(tables, model, code), look(context, model)
    if found is None:
        missing = "no skill to measure it by" if was_measured(tables, model, code) else "not run"
        return Row(LABELS[code], own, missing=missing)
    return Row(
        LABELS[code],
        own,
        seeds_of(tables, model, code),
        found["value"],
        found["lo95"],
        found["hi95"],
        values=estimate_text(found, sign=True),
    )
