"""How many heads can go before the loss grows, beside heads taken at random."""

from collections.abc import Mapping

import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.effects import margin_axis
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import Words, absent, empty_sheet, grid, panel_room, shown
from attnpipe.figures.style import BAND, styled
from attnpipe.schema.figure import FigureOptions

CURVES = {"cumulative_heads": "the least missed first", "random_heads": "at random"}


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model: loss of skill over the number of heads removed."""
    rows = tables["effects"].filter(
        pl.col("name").is_in(list(CURVES))
        & (pl.col("level") == "model")
        & (pl.col("metric") == "skill_units")
        & pl.col("value").is_finite()
    )
    models, cut = shown(context.attention_models)
    words = Words(
        title="How many heads can go?",
        subtitle="What the model loses, in units of its skill, as ever more heads give back their "
        "mean; which one goes next was chosen on validation data. Logarithmic beyond 5 δ.",
        xlabel="heads removed",
        ylabel="loss of skill, as a share of it",
        notes=[*cut, *gap_notes(tables, context, models)],
    )
    if rows.is_empty():
        return empty_sheet(context, words, "no model of this study has more than one head")
    colors = dict(zip(CURVES, context.style.palette, strict=False))
    legend: list[Artist] = [
        Line2D([], [], color=colors[name], lw=1.4, marker="o", markersize=2.5, label=label)
        for name, label in CURVES.items()
    ]
    band = options.color or BAND
    legend += [
        Patch(
            color=colors["cumulative_heads"],
            alpha=0.2,
            lw=0,
            label=f"{PERCENT} interval (seeds × test units)",
        ),
        Patch(color=band, lw=0, label=f"±δ = {context.delta:g}: too small to matter"),
    ]
    figure, axes = grid(
        context, words, [context.label(m) for m in models], legend=legend, sharex=False
    )
    for ax, model in zip(axes, models, strict=True):
        mine = rows.filter(pl.col("model") == model)
        if mine.is_empty():
            absent(ax, "one head: there is nothing to remove but all", panel_room(context, models))
            continue
        margin_axis(ax, "y", context.delta, band)
        for name in CURVES:
            _curve(ax, mine.filter(pl.col("name") == name).sort("removed"), colors[name])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return figure


def _curve(ax: Axes, rows: pl.DataFrame, color: str) -> None:
    known = rows.filter(pl.col("lo95").is_finite())
    ax.fill_between(known["removed"], known["lo95"], known["hi95"], color=color, alpha=0.2, lw=0)
    ax.plot(rows["removed"], rows["value"], color=color, lw=1.4, marker="o", markersize=2.5)
