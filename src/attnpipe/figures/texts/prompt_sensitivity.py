"""Which layers attend differently to the same question under different prompts."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.layout import Words, absent, sheet, sheet_width
from attnpipe.figures.style import QUIET, SMALL, Look, look, styled
from attnpipe.figures.texts.curves import LAYERS, draw_curve, layer_axis, layers_in
from attnpipe.figures.texts.selection import (
    PRETRAINED,
    absence_notes,
    cut_note,
    model_note,
    nothing,
    panel_title,
    split_models,
)
from attnpipe.schema.figure import FigureOptions

MOST = 6
"""Models on one sheet."""
FOUND = "_found_sinks_removed"
PANELS = {
    "": "all keys",
    "_sinks_removed": "without declared sinks",
    FOUND: "without found sinks, too",
}
"""Ending of the measures → title; the last is left out where no sinks were looked for."""
NULL = Look(QUIET, "", "--")
LEVEL = 0.05
NAMED = 3
"""Layers, and models, that notes name."""
VALUES = "distances between variants"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return, per model, distance between variants by layer, beside that between questions."""
    frame = tables["text_contrasts"].filter(
        (pl.col("family") == "sensitivity")
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("layer").is_not_null()
        & pl.col("head").is_null()
        & pl.col("mean").is_finite()
    )
    distance = pl.col("measure").is_in([f"distance{end}" for end in PANELS])
    models, missing = split_models(context, frame.filter(distance), MOST)
    words = Words(
        title="Which layers are prompt-sensitive? Distance between variants of a prompt",
        subtitle="√(JSD / ln 2) between the last token's rows on the question's tokens that all "
        "variants share, mean over heads and pairs of variants; 0 = same, 1 = nothing in common. "
        f"Grey: between different questions in one variant. Bands: {PERCENT} intervals.",
        xlabel=LAYERS,
        notes=[
            *_most_sensitive(frame, context, models),
            *cut_note(len(models), frame["model"].n_unique()),
            *absence_notes(tables, context, missing, VALUES),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, VALUES)
    legend = [
        *(_key(context, m, options) for m in models),
        Line2D([], [], color=QUIET, ls="--", lw=1.1, label="between questions (null)"),
        Line2D([], [], color=QUIET, ls="", marker="^", markersize=4,
               label=f"above the mean of the other layers (BH-adjusted p < {LEVEL:g})"),
    ]  # fmt: skip
    figure = sheet(context, words, [2.3 if len(models) == 1 else 1.6] * len(models), legend)
    known = frame["measure"].unique()
    panels = {e: title for e, title in PANELS.items() if e != FOUND or f"distance{e}" in known}
    axes = figure.subplots(len(models), len(panels), squeeze=False, sharey="row", sharex="row")
    for line, model in zip(axes, models, strict=True):
        mine = frame.filter(pl.col("model") == model)
        for ax, (end, title) in zip(line, panels.items(), strict=True):
            _panel(ax, mine, end, _look(context, model, options))
            layer_axis(ax, layers_in(mine))
            room = sheet_width(context) / len(panels) - 0.4
            if not mine.filter(pl.col("measure") == f"distance{end}").height:
                absent(ax, f"no {VALUES} {title}", room)
            ax.set_title(panel_title(context, model, title, room))
        line[0].set_ylabel("distance", size=SMALL)
        line[0].set_ylim(bottom=0)
    return figure


def _look(context: FigureContext, model: str, options: FigureOptions) -> Look:
    own = look(context, model)
    return Look(options.color or own.color, own.marker, "-")


def _key(context: FigureContext, model: str, options: FigureOptions) -> Line2D:
    own = _look(context, model, options)
    start = context.label(model) + ": " if len(context.attention_models) > 1 else ""
    return Line2D(
        [], [], color=own.color, marker=own.marker, markersize=3, label=f"{start}between variants"
    )


def _panel(ax: Axes, frame: pl.DataFrame, end: str, own: Look) -> None:
    def of(measure: str) -> pl.DataFrame:
        return frame.filter(pl.col("measure") == measure + end)

    draw_curve(ax, of("null_distance"), NULL, width=1.0)
    distances = of("distance")
    draw_curve(ax, distances, own)
    stands_out = of("distance_vs_others").filter((pl.col("mean") > 0) & (pl.col("p_bh") < LEVEL))
    marked = stands_out.sort("layer")
    if marked.height:
        ax.plot(
            marked["layer"].to_numpy(), [0.035] * marked.height, ls="", marker="^", markersize=3,
            color=QUIET, transform=ax.get_xaxis_transform(), clip_on=False, in_layout=False,
        )  # fmt: skip


def _most_sensitive(frame: pl.DataFrame, context: FigureContext, models: list[str]) -> list[str]:
    """Name the layers with the largest distance, without sinks where that is known."""
    notes = []
    for model in models[:NAMED]:
        mine = frame.filter(pl.col("model") == model)
        for end, title in reversed(PANELS.items()):
            own = mine.filter(pl.col("measure") == f"distance{end}")
            if own.height:
                top = own.sort("mean", "layer", descending=[True, False]).head(NAMED)
                pairs = top.select("layer", "mean").iter_rows()
                layers = ", ".join(f"{layer} ({mean:.2f})" for layer, mean in pairs)
                text = f"largest distances {title}: layers {layers}."
                notes.append(model_note(context, model, text))
                break
    return notes
