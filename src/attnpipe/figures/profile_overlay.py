"""All models' mean profiles in one panel."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.last_query import LAST_QUERY, draw_last_query, last_query_key
from attnpipe.figures.layout import Words, empty_sheet, sheet, shown
from attnpipe.figures.selection import final_values, heads_note, keys_of, spread
from attnpipe.figures.style import FAINT, RULE, look, styled
from attnpipe.figures.timeaxis import key_axis_name, label_keys
from attnpipe.schema.figure import FigureOptions

MOST = 12
"""Models with a colour and a legend entry of their own; the others are thin and grey."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return the mean profile of each model with the interval of the mean."""
    points = final_values(tables, ["profile"])
    means = spread(tables, ["profile"])
    last = spread(tables, [LAST_QUERY])
    present = set(means["model"])
    models = [m for m in context.attention_models if m in present]
    named, _ = shown(models, MOST)
    window = keys_of(points, context)
    grey = max(len(models) - MOST, 0)
    more = "1 more model is" if grey == 1 else f"{grey} more models are"
    cut = [f"{more} drawn in grey."] if grey else []
    words = Words(
        title="Where do the models look? Mean attention profiles compared",
        subtitle="Final weights averaged over samples, queries and seeds; bands are "
        f"{PERCENT} intervals over seeds. Dashed: the last query's row alone.",
        xlabel=key_axis_name(context, window),
        ylabel="attention weight",
        notes=[*cut, *heads_note(points), *gap_notes(tables, context, context.attention_models)],
    )
    if not models:
        return empty_sheet(context, words, "no model has a profile of its final weights")
    legend = [_entry(context, model) for model in named]
    if cut:
        legend.append(Line2D([], [], color=FAINT, lw=0.6, label="other models"))
    if last.filter(pl.col("model").is_in(named)).height:
        legend.append(last_query_key())
    figure = sheet(context, words, [2.6], [*legend, rule_key("uniform", options.color)])
    ax = figure.add_subplot()
    for model in models:
        mean = means.filter(pl.col("model") == model).sort("target")
        if model not in named:
            ax.plot(mean["target"], mean["mean"], color=FAINT, lw=0.6, zorder=1)
            continue
        own = look(context, model)
        band = mean.filter(pl.col("lo95").is_not_null())
        if band.height:
            ax.fill_between(
                band["target"], band["lo95"].clip(0), band["hi95"],
                color=own.color, alpha=0.15, lw=0,
            )  # fmt: skip
        ax.plot(
            mean["target"], mean["mean"], color=own.color, ls=own.dash,
            marker=own.marker, markersize=3, markevery=max(1, window // 8),
        )  # fmt: skip
        draw_last_query(ax, last.filter(pl.col("model") == model), own.color)
    ax.axhline(1 / window, color=options.color or RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)
    label_keys(ax, context, window, most=10)
    ax.set_ylim(bottom=0)
    return figure


def _entry(context: FigureContext, model: str) -> Line2D:
    own = look(context, model)
    return Line2D(
        [], [], color=own.color, ls=own.dash, marker=own.marker, markersize=3,
        label=context.label(model),
    )  # fmt: skip
