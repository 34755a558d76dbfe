"""What each head does with tokens while the model trains."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import FigureContext
from attnpipe.figures.gaps import gap_notes
from attnpipe.figures.layout import MAX_PANELS, Words, empty_sheet, grid
from attnpipe.figures.seed_lines import drawn_note, first_seeds
from attnpipe.figures.selection import epochs
from attnpipe.figures.style import QUIET, RULE, styled
from attnpipe.schema.figure import FigureOptions

SCORES = {"previous_token": "token before", "induction": "token after an earlier copy"}
"""The two that make an induction circuit: a head of the first kind below one of the second."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per model, layer and score, with a line for each head of each seed."""
    points = epochs(
        tables["metric_values"].filter(
            pl.col("metric").is_in(list(SCORES))
            & pl.col("head").is_not_null()
            & pl.col("value").is_finite()
        )
    )
    words = Words(
        title="What each head does while the model trains",
        subtitle="Mean weight on the token named above each panel, over the rows that see one; a "
        "line per head, a color per seed. Heads of different seeds have no common order.",
        xlabel="epoch (0 = untrained)",
        ylabel="mean weight",
        notes=[*drawn_note(points), *gap_notes(tables, context, list(context.attention_models))],
    )
    places = [
        (model, layer, score)
        for model in context.attention_models
        for layer in sorted(set(points.filter(pl.col("model") == model)["layer"]))
        for score in SCORES
    ]
    if not places:
        return empty_sheet(context, words, "no model of this study reads tokens")
    cut = [] if len(places) <= MAX_PANELS else [f"The first {MAX_PANELS} of {len(places)} panels."]
    words = Words(words.title, words.subtitle, words.xlabel, words.ylabel, [*cut, *words.notes])
    palette = [options.color] if options.color else context.style.palette
    color = {seed: palette[i % len(palette)] for i, seed in enumerate(context.seeds)}
    legend = [Line2D([], [], color=color[s], lw=1.4, label=f"seed {s}") for s in context.seeds[:8]]
    legend.append(Line2D([], [], color=RULE, lw=0.8, ls=(0, (4, 2)), label="uniform attention"))
    titles = [f"{context.label(m)}, layer {layer}: {SCORES[s]}" for m, layer, s in places]
    figure, axes = grid(
        context, words, titles[:MAX_PANELS], legend=legend, height=1.25, columns=len(SCORES)
    )
    for ax, (model, layer, score) in zip(axes, places, strict=False):
        mine = points.filter(
            (pl.col("model") == model) & (pl.col("layer") == layer) & (pl.col("metric") == score)
        )
        _lines(ax, mine.filter(pl.col("condition").is_null()), color)
        chance = mine.filter(pl.col("condition") == "chance")["value"].mean()
        if isinstance(chance, float):
            ax.axhline(chance, color=RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)
    axes[0].set_ylim(-0.03, 1.03)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return figure


def _lines(ax: Axes, points: pl.DataFrame, color: Mapping[int, str]) -> None:
    heads = first_seeds(points).partition_by("seed", "head", as_dict=True)
    for (seed, _), line in sorted(heads.items()):
        line = line.sort("epoch")
        ax.plot(line["epoch"], line["value"], color=color.get(int(seed), QUIET), lw=0.9, alpha=0.85)
