"""Does attention help? Gain over the baseline, and skill over a trivial forecast."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import (
    MAX_ROWS,
    Row,
    draw_rows,
    key,
    panel_height,
    reference_line,
    rule_key,
    span,
)
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import Words, empty_sheet, sheet, sheet_width, shown
from attnpipe.figures.scores import gain_row, skill_row
from attnpipe.figures.style import BAND, FAINT, styled
from attnpipe.schema.figure import FigureOptions

EDGE = 1.2
"""Points of the outline of the band, which shows where the band itself is thinner."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return gains of the models that have a baseline, and below them every model's skill."""
    compared = [m for m in context.labels if context.baselines.get(m) is not None]
    compared, cut = shown(compared, MAX_ROWS)
    models, cut_too = shown(list(context.labels), MAX_ROWS)
    words = Words(
        title="Does attention help? Gain over the baseline, and skill",
        subtitle="Gain: error removed by attention, as a share of what the model removes from the "
        "best trivial forecast. Skill: 1 − error / error of the best trivial forecast.",
        notes=[*(cut or cut_too), *gap_notes(tables, context, models)],
    )
    if tables["comparisons"].is_empty():
        return empty_sheet(context, words, "no forecasts: the models of this study were not run")
    color, edge = options.color or BAND, options.color or FAINT
    legend = [
        key("one seed (in the common skill unit)", size=2.2),
        key(f"estimate and {PERCENT} interval (seeds × test units)", line=True),
        rule_key("no difference"),
        Patch(
            facecolor=color,
            edgecolor=edge,
            lw=EDGE,
            label=f"±δ = {context.delta:g}: too small to matter",
        ),
    ]
    heights = [panel_height(len(compared)) + 0.15, panel_height(len(models))]
    figure = sheet(context, words, heights if compared else heights[1:], legend)
    axes = figure.subplots(
        len(heights) if compared else 1, squeeze=False, height_ratios=heights if compared else None
    )[:, 0]
    if compared:
        rows = [gain_row(tables, context, m) for m in compared]
        axes[0].axvspan(
            -context.delta, context.delta, facecolor=color, edgecolor=edge, lw=EDGE, zorder=0
        )
        _panel(axes[0], rows, context, context.delta, -context.delta)
        axes[0].set_title("gain over the model's baseline (right of 0: better with attention)")
        axes[0].set_xlabel("gain in units of the model's skill")
    rows = [skill_row(tables, context, m) for m in models]
    _panel(axes[-1], rows, context)
    axes[-1].set_title("skill over the best trivial forecast (1 = perfect, 0 = no better)")
    axes[-1].set_xlabel("skill (share of the trivial forecast's loss removed)")
    return figure


def _panel(ax: Axes, rows: list[Row], context: FigureContext, *also: float) -> None:
    draw_rows(ax, rows, labels=True, room=0.36 * sheet_width(context))
    reference_line(ax, 0.0)
    ax.set_xlim(*span(rows, 0.0, *also))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
