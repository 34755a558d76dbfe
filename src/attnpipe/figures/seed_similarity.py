"""Do seeds agree? Likeness of attention between pairs of seeds, published and centred."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

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
    title_room,
)
from attnpipe.figures.gaps import gap, gap_notes
from attnpipe.figures.layout import Words, absent, empty_sheet, sheet, sheet_width, shown
from attnpipe.figures.measures import CENTRED, PEARSON, PUBLISHED, Likeness, seeds_note
from attnpipe.figures.style import SMALL, TEXT, colormap, ink_on, look, styled
from attnpipe.figures.text import shorten, wrap
from attnpipe.schema.figure import FigureOptions

NAMES = {
    PUBLISHED: "cosine of profiles (as published)",
    CENTRED: "centred cosine of rows",
    PEARSON: "centred cosine of profiles",
}
MATRICES, CELLS, MOST_POINTS = 6, 6, 400
"""Models with matrices, seeds with numbers in the cells, pairs drawn as points."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return matrices for a few models; for many, all pairs as points."""
    models, cut = shown(context.attention_models, MAX_ROWS)
    words = Words(
        title="Do seeds agree? Likeness of final attention between seeds",
        subtitle="The cosine of unrelated distributions is about 1 / (1 + CV²), near 1 where they "
        "are near uniform; centred, unrelated weights score 0. Seeds count as alike above 0.5 and "
        "above the untrained model's interval. Intervals: delete-one-seed jackknife.",
        notes=[*cut, *seeds_note(context), *gap_notes(tables, context, models)],
    )
    if not models:
        return empty_sheet(context, words, "no model of this study has attention")
    legend = [
        key("one pair", size=2.2),
        key(f"mean and {PERCENT} interval", line=True),
        key("mean and interval before training", marker="D", hollow=True, thin=True),
        rule_key("unrelated"),
    ]
    found = Likeness(tables)
    rows = {
        (m, measure): _row(tables, context, found, m, measure)
        for m in models
        for measure in found.measures(m)
    }
    if len(models) > MATRICES:
        return _overview(context, found, rows, models, words, legend)
    figure = sheet(context, words, [1.42] * len(models) + [0.42], legend)
    axes = figure.subplots(len(models), 3, width_ratios=[1, 1, 1.5], squeeze=False)
    colors = colormap(options.colormap, context.style.diverging)
    image = None
    pairs_of = {(m, measure): found.pairs(m, measure) for m, measure in rows}
    same = len({_seeds(context, pairs) for pairs in pairs_of.values() if pairs}) == 1
    for place, (line, model) in enumerate(zip(axes, models, strict=True)):
        measures = found.measures(model)
        for column, (ax, measure) in enumerate(zip(line, measures, strict=False)):
            pairs = pairs_of[model, measure]
            if pairs:
                image = _matrix(ax, context, pairs, colors)
                ax.set_xlabel(NAMES[measure].split(" (")[0], size=SMALL)
                # The same seeds everywhere are named at the outer edges alone.
                outer = not same or column == 0
                ax.tick_params(labelleft=outer, labelbottom=not same or place == len(models) - 1)
                ax.set_ylabel("seed" if outer and ax.get_yticks().size else "", size=SMALL)
            else:
                _no_matrix(ax, context, gap(tables, context, model, measure, pairs=True).full)
        room = 0.5 * sheet_width(context)
        line[0].set_title(shorten(context.label(model), room, TEXT, bold=True), weight="bold")
        own = [replace(rows[model, m], label=NAMES[m]) for m in measures]
        _strip(line[2], own, place == len(models) - 1)
    if image is not None:
        bar = figure.colorbar(
            image, ax=axes[:, :2], location="bottom", aspect=40, shrink=0.7, pad=0.01
        )
        bar.set_ticks([-1, -0.5, 0, 0.5, 1])
        bar.set_label("likeness of two seeds", size=SMALL)
        bar.outline.set_visible(False)
    return figure


def cell(value: float) -> str:
    """Return a likeness in at most four characters; only what is 1 reads 1."""
    if 0.995 <= value < 1 - 1e-12:
        return ">.99"
    text = f"{value:.2f}".replace("-", "−").replace("0.", ".")
    return text.replace("1.00", "1").replace("−.00", ".00")


def _no_matrix(ax: Axes, context: FigureContext, reason: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_box_aspect(1)
    absent(ax, reason, 0.14 * sheet_width(context))


def _seeds(context: FigureContext, pairs: Sequence[tuple[int, int, float]]) -> tuple[int, ...]:
    """Return the seeds that are in some pair, in the study's order."""
    present = {seed for a, b, _ in pairs for seed in (a, b)}
    return tuple(s for s in context.seeds if s in present)


def _matrix(
    ax: Axes,
    context: FigureContext,
    pairs: Sequence[tuple[int, int, float]],
    colors: Colormap,
) -> AxesImage:
    seeds = _seeds(context, pairs)
    place = {seed: k for k, seed in enumerate(seeds)}
    grid = np.full((len(seeds), len(seeds)), np.nan)
    ax.set_xticks([])
    ax.set_yticks([])
    for a, b, value in pairs:
        grid[place[a], place[b]] = grid[place[b], place[a]] = value
    image = ax.imshow(grid, cmap=colors, vmin=-1, vmax=1, interpolation="nearest")
    if len(seeds) <= CELLS:
        ax.set_xticks(range(len(seeds)), [str(s) for s in seeds])
        ax.set_yticks(range(len(seeds)), [str(s) for s in seeds])
        for i, j in np.argwhere(np.isfinite(grid)).tolist():
            text = cell(grid[i, j])
            ink = ink_on(colors((grid[i, j] + 1) / 2))
            written = ax.text(j, i, text, ha="center", va="center", size=5, color=ink)
            written.set_in_layout(False)  # it stays inside its cell
    ax.tick_params(length=0, labelsize=5)
    return image


def _row(
    tables: Mapping[str, pl.DataFrame],
    context: FigureContext,
    found: Likeness,
    model: str,
    measure: str,
) -> Row:
    label, own = context.label(model), look(context, model)
    mean = found.mean(model, measure)
    if mean is None:
        missing = gap(tables, context, model, measure, pairs=True)
        return Row(label, own, missing=missing.short)
    points = [value for _, _, value in found.pairs(model, measure)]
    before = found.before(model, measure) or {"value": None, "lo95": None, "hi95": None}
    return Row(
        label,
        own,
        points if len(points) <= MOST_POINTS else (),
        mean["value"],
        mean["lo95"],
        mean["hi95"],
        reference=before["value"],
        reference_lo=before["lo95"],
        reference_hi=before["hi95"],
    )


def _strip(ax: Axes, rows: Sequence[Row], last: bool) -> None:
    draw_rows(ax, rows, labels=False, room=1.2)
    for place, row in enumerate(rows):
        ax.annotate(
            row.label, (0.01, place - 0.36), xycoords=ax.get_yaxis_transform(), size=SMALL,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=2,
        )  # fmt: skip
    ax.set_ylim(len(rows) - 0.4, -0.7)
    _scale(ax)
    if last:
        ax.set_xlabel("likeness of two seeds", size=SMALL)


def _scale(ax: Axes) -> None:
    reference_line(ax, 0.0)
    ax.set_xlim(-1.05, 1.05)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])


def _overview(
    context: FigureContext,
    found: Likeness,
    rows: Mapping[tuple[str, str], Row],
    models: Sequence[str],
    words: Words,
    legend: Sequence[Artist],
) -> Figure:
    figure = sheet(context, words, [panel_height(len(models))], legend)
    axes = figure.subplots(1, 2)
    for place, ax in enumerate(axes):
        of_panel = [rows[m, found.measures(m)[place]] for m in models]
        draw_rows(ax, of_panel, labels=place == 0, room=label_room(context), digits=2)
        _scale(ax)
        ax.set_title(
            "\n".join(wrap(NAMES[(PUBLISHED, CENTRED)[place]], title_room(context, 2), TEXT))
        )
        ax.set_xlabel("likeness of two seeds")
    return figure
