"""How much seeds disagree about each key position: coefficient of variation."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure

from attnpipe.figures.context import FigureContext
from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.layout import Words, absent, empty_sheet, grid, panel_room, shown
from attnpipe.figures.selection import keys_of, likeness
from attnpipe.figures.style import look, styled
from attnpipe.figures.timeaxis import key_axis_name, label_keys
from attnpipe.schema.figure import FigureOptions


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return bars of sd / mean over seeds per key position, one panel per model."""
    models, cut = shown(context.attention_models)
    points = likeness(tables, "timestep", ["cv"])
    window = keys_of(points, context)
    words = Words(
        title="How much do seeds disagree? Variation of the profile over seeds",
        subtitle="Standard deviation (ddof 1) over mean of the final weight at each key position, "
        "times 1 + 1 / (4n) for n seeds; of the row that the published profile takes (additive: "
        "the last query's; scaled dot: the mean over queries).",
        xlabel=key_axis_name(context, window),
        ylabel="coefficient of variation",
        notes=[*cut, *gap_notes(tables, context, models)],
    )
    if not models:
        return empty_sheet(context, words, "no model of this study has attention")
    mean = dict(
        points.sort("model", "target")
        .group_by("model", maintain_order=True)
        .agg(pl.col("value").mean())
        .iter_rows()
    )
    titles = [
        f"{context.label(m)}: mean {mean[m]:.2g}" if m in mean else context.label(m) for m in models
    ]
    figure, axes = grid(context, words, titles, height=1.35)
    for ax, model in zip(axes, models, strict=True):
        mine = points.filter(pl.col("model") == model).sort("target")
        if mine.is_empty():
            why = gap(tables, context, model, pairs=True)
            absent(ax, why.full, panel_room(context, models))
            continue
        color = options.color or look(context, model).color
        ax.bar(mine["target"], mine["value"], width=0.85, color=color, lw=0)
    label_keys(axes[0], context, window, most=5 if len(models) <= 4 else 3)
    axes[0].set_ylim(bottom=0)
    return figure
