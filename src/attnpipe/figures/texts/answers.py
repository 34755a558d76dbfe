"""How often the model is right, by variant of the prompt."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import Row, draw_rows, key, label_room, panel_height
from attnpipe.figures.layout import Words, sheet, sheet_width
from attnpipe.figures.style import RANGE_BAND, TEXT, styled
from attnpipe.figures.text import shorten
from attnpipe.figures.texts.selection import absence_notes, cut_note, nothing, split_models
from attnpipe.figures.texts.variants import Looks, variant_name, variants_in
from attnpipe.schema.figure import FigureOptions

MOST = 8
"""Models on one sheet."""
RANGE = (0.2, 0.8)
"""Between these shares, attention can be related to being right."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one row per variant: share of right answers with its interval."""
    frame = tables["accuracy"].filter(pl.col("accuracy").is_finite())
    models, absent = split_models(context, frame, MOST)
    words = Words(
        title="How often is the answer right?",
        subtitle=f"Greedy answers, with Wilson's {PERCENT} interval over questions. Only where "
        "some are right and some are wrong (the band) can attention be related to being right. "
        "No answer: nothing written, cut off before one, or none in what was written.",
        notes=[
            *cut_note(len(models), frame["model"].n_unique()),
            *absence_notes(tables, context, absent, "scored answers"),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, "scored answers")
    color = options.color or RANGE_BAND
    low, high = RANGE
    legend = [
        key(f"share and {PERCENT} interval", line=True),
        Patch(color=color, lw=0, label=f"{low:.0%} to {high:.0%}".replace("%", " %")),
    ]
    looks = Looks(tables, context, variants_in(tables, frame))
    columns = 2 if len(models) > 1 else 1
    counts = [frame.filter(pl.col("model") == m).height for m in models]
    blocks = [counts[k : k + columns] for k in range(0, len(counts), columns)]
    figure = sheet(context, words, [panel_height(max(b)) + 0.16 for b in blocks], legend)
    spec = figure.add_gridspec(len(blocks), columns)
    room = sheet_width(context) / columns - 1.0
    for place, model in enumerate(models):
        ax = figure.add_subplot(spec[place // columns, place % columns])
        own = frame.filter(pl.col("model") == model)
        rows = [_row(own, looks, variant) for variant in variants_in(tables, own)]
        ax.axvspan(*RANGE, color=color, lw=0, zorder=0)
        draw_rows(ax, rows, labels=True, room=label_room(context) / columns)
        ax.set_xlim(-0.02, 1.02)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
        ax.set_xlabel("right answers")
        if len(context.attention_models) > 1:
            ax.set_title(shorten(context.label(model), room, TEXT, bold=True), weight="bold")
    return figure


def _row(frame: pl.DataFrame, looks: Looks, variant: str) -> Row:
    found = frame.filter(pl.col("variant") == variant).row(0, named=True)
    silent = sum(found[name] for name in ("none", "unfinished", "empty"))
    return Row(
        variant_name(variant),
        looks[variant],
        mean=found["accuracy"],
        lo=found["lo95"],
        hi=found["hi95"],
        values=f"{found['correct']} of {found['n']}" + (f", {silent} no answer" if silent else ""),
    )
