"""How sharp attention is: entropy of the rows, and of the averaged profile."""

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import (
    MAX_ROWS,
    Row,
    draw_rows,
    key,
    label_room,
    panel_height,
    reference_line,
    rule_key,
    span,
    title_room,
)
from attnpipe.figures.gaps import gap, gap_notes, unknowable_note
from attnpipe.figures.layout import Words, empty_sheet, sheet, shown
from attnpipe.figures.measures import PROFILE, ROWS
from attnpipe.figures.selection import final_values, heads_note, spread
from attnpipe.figures.style import TEXT, look, styled
from attnpipe.figures.text import wrap
from attnpipe.schema.figure import FigureOptions

TITLES = {
    ROWS: "of single rows, averaged",
    PROFILE: "of the averaged profile (as published)",
}
AXES = {ROWS: "entropy / ln n", PROFILE: "entropy / ln T"}


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return points per seed with mean and interval, rows and profile side by side."""
    metrics = [ROWS, PROFILE]
    models, cut = shown(context.attention_models, MAX_ROWS)
    points = final_values(tables, metrics)
    words = Words(
        title="How sharp is attention? Normalised entropy of the final weights",
        subtitle="0 = all weight on one key, 1 = uniform. Rows that look at different keys have a "
        "flatter average. Rows are over ln of their own n keys, the published profile (additive: "
        "of the last query alone) over ln T.",
        notes=[
            *cut,
            *heads_note(points),
            *unknowable_note(tables, models, ROWS),
            *gap_notes(tables, context, models),
        ],
    )
    if not models:
        return empty_sheet(context, words, "no model of this study has attention")
    legend = [
        key("one seed", size=2.2),
        key(f"mean and {PERCENT} interval over seeds", line=True),
        key("mean before training", marker="D", hollow=True),
        rule_key("uniform", options.color),
    ]
    figure = sheet(context, words, [panel_height(len(models))], legend)
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    room = label_room(context)
    columns = [_rows(tables, context, models, metric, points) for metric in metrics]
    low, high = span([row for rows in columns for row in rows], 1.0)
    for place, (ax, metric, rows) in enumerate(zip(axes, metrics, columns, strict=True)):
        draw_rows(ax, rows, labels=place == 0, room=room)
        reference_line(ax, 1.0, options.color)
        ax.set_xlim(low if low > 0.5 else min(low, -0.02), high)
        ax.set_title("\n".join(wrap(TITLES[metric], title_room(context, len(metrics)), TEXT)))
        ax.set_xlabel(AXES[metric])
    return figure


def _rows(
    tables: Mapping[str, pl.DataFrame],
    context: FigureContext,
    models: list[str],
    metric: str,
    points: pl.DataFrame,
) -> list[Row]:
    means = {r["model"]: r for r in spread(tables, [metric]).iter_rows(named=True)}
    before = {
        r["model"]: r["mean"] for r in spread(tables, [metric], "untrained").iter_rows(named=True)
    }
    seeds = points.filter(pl.col("metric") == metric).sort("seed")
    rows = []
    for model in models:
        mean = means.get(model, {"mean": None, "lo95": None, "hi95": None})
        rows.append(
            Row(
                context.label(model),
                look(context, model),
                seeds.filter(pl.col("model") == model)["value"].to_list(),
                mean["mean"],
                mean["lo95"],
                mean["hi95"],
                reference=before.get(model),
                missing="" if model in means else gap(tables, context, model, metric).short,
            )
        )
    return rows
