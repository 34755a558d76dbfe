"""Everything at a glance: one row per model, one panel per question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
)
from attnpipe.figures.gaps import gap, gap_notes, unknowable_note
from attnpipe.figures.layout import Words, empty_sheet, sheet, shown
from attnpipe.figures.measures import PEARSON, PROFILE, PUBLISHED, ROWS, Likeness
from attnpipe.figures.scores import gain_row, skill_row
from attnpipe.figures.selection import spread
from attnpipe.figures.style import look, styled
from attnpipe.schema.figure import FigureOptions

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Panel:
    """One question: its title, its rows, and the value that means "nothing to see"."""

    title: str
    rows: Sequence[Row]
    nothing: float


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return six panels; filled marks are rows, hollow ones the published counterpart."""
    models, cut = shown(context.attention_models, MAX_ROWS)
    words = Words(
        title="At a glance: what attention does, how stable it is, how well models forecast",
        subtitle="Filled marks: measured row by row, with interval. Hollow marks: the number as "
        "published, from averaged profiles.",
        notes=[
            *cut,
            *unknowable_note(tables, models, ROWS),
            *_profile_note(Likeness(tables), models),
            *gap_notes(tables, context, models),
        ],
    )
    if not models:
        return empty_sheet(context, words, "no model of this study has attention")
    legend = [
        key(f"mean and {PERCENT} interval", line=True),
        key("as published", marker="D", hollow=True),
        rule_key("nothing to see: uniform, unrelated, no better", options.color),
    ]
    panels = _panels(tables, context, models)
    height = panel_height(len(models))
    figure = sheet(context, words, [height, height], legend)
    axes = figure.subplots(2, 3).flatten()
    for place, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        rows = [replace(row, points=(), values="") for row in panel.rows]
        draw_rows(ax, rows, labels=place % 3 == 0, room=label_room(context), digits=2)
        reference_line(ax, panel.nothing, options.color)
        ax.set_xlim(*span(rows, panel.nothing, pad=0.1))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=3))
        ax.set_title(panel.title)
    return figure


def _panels(tables: Tables, context: FigureContext, models: Sequence[str]) -> list[Panel]:
    recent, k = _recent(tables)
    uniform = k / context.window if context.window else 0.0

    def metric(name: str, published: str | None = None) -> list[Row]:
        means = spread(tables, [name])
        hollow = spread(tables, [published]) if published else None
        return [_metric_row(tables, context, m, name, means, hollow) for m in models]

    def each(row: Callable[[Tables, FigureContext, str], Row]) -> list[Row]:
        return [row(tables, context, m) for m in models]

    return [
        Panel("entropy / ln n", metric(ROWS, PROFILE), 1.0),
        Panel(f"mass on newest {k}", metric(f"recent_mass_{k}", f"profile_{recent}"), uniform),
        Panel("content share", metric("content_share"), 0.0),
        Panel("seeds: centred cosine", _stability(tables, context, models), 0.0),
        Panel("skill", each(skill_row), 0.0),
        Panel("gain over baseline", each(gain_row), 0.0),
    ]


def _profile_note(found: Likeness, models: Sequence[str]) -> list[str]:
    if any(found.measures(model)[1] == PEARSON for model in models):
        return ["Where rows are unknowable, the centred cosine is that of profiles."]
    return []


def _recent(tables: Tables) -> tuple[str, int]:
    """Return the metric of recent mass that is nearest to the published last ten steps."""
    names = tables["metrics"]["metric"].unique()
    sizes = [int(n) for n in names.str.extract(r"^recent_mass_(\d+)$").drop_nulls()]
    k = min(sizes, key=lambda size: (abs(size - 10), size), default=10)
    return f"recent_mass_{k}", k


def _metric_row(
    tables: Tables,
    context: FigureContext,
    model: str,
    metric: str,
    means: pl.DataFrame,
    hollow: pl.DataFrame | None,
) -> Row:
    of = pl.col("model") == model
    mine = means.filter(of)
    other = hollow.filter(of)["mean"] if hollow is not None else pl.Series([], dtype=pl.Float64)
    row = Row(
        context.label(model), look(context, model), reference=other[0] if len(other) else None
    )
    if mine.is_empty():
        return replace(row, missing=gap(tables, context, model, metric).short)
    mean, lo, hi = mine.select("mean", "lo95", "hi95").row(0)
    return replace(row, mean=mean, lo=lo, hi=hi)


def _stability(tables: Tables, context: FigureContext, models: Sequence[str]) -> list[Row]:
    found, rows = Likeness(tables), []
    for model in models:
        centred = found.measures(model)[1]
        mean, published = found.mean(model, centred), found.mean(model, PUBLISHED)
        row = Row(context.label(model), look(context, model))
        if published is not None:
            row = replace(row, reference=published["value"])
        if mean is None:
            short = gap(tables, context, model, centred, pairs=True).short
            rows.append(replace(row, missing=short))
        else:
            rows.append(replace(row, mean=mean["value"], lo=mean["lo95"], hi=mean["hi95"]))
    return rows
