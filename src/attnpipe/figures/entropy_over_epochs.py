"""Whether attention leaves the uniform state while the model trains."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.flat import name_range
from attnpipe.figures.gaps import gap, gap_notes, unknowable_note
from attnpipe.figures.layout import Words, absent, empty_sheet, grid, panel_room, remark, shown
from attnpipe.figures.measures import PROFILE, ROWS
from attnpipe.figures.seed_lines import drawn_note, seed_lines
from attnpipe.figures.selection import epochs, heads_note, mean_over_seeds, values
from attnpipe.figures.style import QUIET, RULE, look, styled
from attnpipe.schema.figure import FigureOptions


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model with lines of seeds, for rows and for the profile."""
    metrics = [ROWS, PROFILE]
    models, cut = shown(context.attention_models)
    points = epochs(values(tables, metrics))
    words = Words(
        title="Entropy of attention while the model trains",
        subtitle="Epoch 0 is the untrained model.",
        xlabel="epoch",
        ylabel="entropy / ln n",
        notes=[
            *cut,
            *drawn_note(points),
            *heads_note(points),
            *unknowable_note(tables, models, ROWS),
            *gap_notes(tables, context, models),
        ],
    )
    if points.is_empty():
        return empty_sheet(context, words, "no weights of training epochs are stored")
    legend = [
        Line2D([], [], color=QUIET, lw=1.6, label="rows: mean, thin lines: seeds"),
        Line2D(
            [],
            [],
            color=QUIET,
            lw=1.6,
            ls=(0, (1, 1)),
            label="averaged profile (as published, / ln T)",
        ),
        rule_key("uniform", options.color),
    ]
    figure, axes = grid(context, words, [context.label(m) for m in models], legend=legend)
    for ax, model in zip(axes, models, strict=True):
        mine = points.filter(pl.col("model") == model)
        if mine.is_empty():
            absent(ax, gap(tables, context, model, ROWS).full, panel_room(context, models))
            continue
        color = look(context, model).color
        _lines(ax, mine.filter(pl.col("metric") == PROFILE), color, (0, (1, 1)))
        _lines(ax, mine.filter(pl.col("metric") == ROWS), color, "-")
        ax.axhline(1.0, color=options.color or RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)
        if not (mine["metric"] == ROWS).any():
            remark(ax, f"rows: {gap(tables, context, model, ROWS).short}")
    low = points["value"].min()
    assert isinstance(low, float)  # not empty
    axes[0].set_ylim(low - 0.06 * (1.0 - low) - 1e-3, 1.0 + 0.08 * (1.0 - low) + 1e-3)
    for ax, model in zip(axes, models, strict=True):
        mine = points.filter(pl.col("model") == model)
        if (mine["metric"] == ROWS).any():
            name_range(ax, mine["value"])
    last = points["epoch"].max()
    assert isinstance(last, int)
    axes[0].set_xlim(-0.02 * last - 0.2, 1.02 * last + 0.2)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return figure


def _lines(ax: Axes, points: pl.DataFrame, color: str, dash: object) -> None:
    seed_lines(ax, points, "epoch", "value", color=color, dash=dash)
    mean = mean_over_seeds(points, "value")
    ax.plot(mean["epoch"], mean["value"], color=color, lw=1.6, ls=dash)
