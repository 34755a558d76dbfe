"""Where attention looks: the averaged profile of each model over the window."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.flat import name_range
from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.last_query import LAST_QUERY, draw_last_query, last_query_key
from attnpipe.figures.layout import Words, absent, empty_sheet, grid, panel_room, shown
from attnpipe.figures.seed_lines import drawn_note, seed_lines
from attnpipe.figures.selection import final_values, heads_note, keys_of, spread
from attnpipe.figures.style import QUIET, RULE, look, styled
from attnpipe.figures.timeaxis import key_axis_name, label_keys
from attnpipe.schema.figure import FigureOptions


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model: thin lines are seeds, the bold line the mean of all."""
    models, cut = shown(context.attention_models)
    points = final_values(tables, ["profile"])
    last = spread(tables, [LAST_QUERY])
    window = keys_of(points, context)
    words = Words(
        title="Where does attention look? Averaged final weights",
        subtitle="Averages over samples and queries: they show habits of position, not where "
        "single rows look. Dashed: the last query's row alone, where published analyses take it.",
        xlabel=key_axis_name(context, window),
        ylabel="attention weight",
        notes=[
            *cut,
            *drawn_note(points),
            *heads_note(points),
            *gap_notes(tables, context, models),
        ],
    )
    if not models:
        return empty_sheet(context, words, "no model of this study has attention")
    legend = [
        Line2D([], [], color=QUIET, lw=0.6, label="one seed"),
        Line2D([], [], color=QUIET, lw=1.6, label="mean"),
        *([last_query_key()] if last.height else []),
        Patch(color=QUIET, alpha=0.25, lw=0, label=f"{PERCENT} interval of the mean"),
        rule_key("uniform", options.color),
    ]
    figure, axes = grid(context, words, [context.label(m) for m in models], legend=legend)
    means = spread(tables, ["profile"])
    for ax, model in zip(axes, models, strict=True):
        mine = points.filter(pl.col("model") == model)
        if mine.is_empty():
            absent(ax, gap(tables, context, model, "profile").full, panel_room(context, models))
        else:
            color = look(context, model).color
            _panel(ax, mine, means.filter(pl.col("model") == model), color)
            draw_last_query(ax, last.filter(pl.col("model") == model), color)
            ax.axhline(
                1 / keys_of(mine, context), color=options.color or RULE, lw=0.8, ls=(0, (4, 2))
            )
    label_keys(axes[0], context, window, most=5 if len(models) <= 4 else 3)
    axes[0].set_ylim(bottom=0)
    for ax, model in zip(axes, models, strict=True):
        name_range(ax, points.filter(pl.col("model") == model)["value"])
    return figure


def _panel(ax: Axes, seeds: pl.DataFrame, mean: pl.DataFrame, color: str) -> None:
    seed_lines(ax, seeds, "target", "value", color=color)
    mean = mean.sort("target")
    band = mean.filter(pl.col("lo95").is_not_null())
    if band.height:
        ax.fill_between(
            band["target"], band["lo95"].clip(0), band["hi95"], color=color, alpha=0.25, lw=0
        )
    ax.plot(mean["target"], mean["mean"], color=color, lw=1.6)
