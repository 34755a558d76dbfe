"""Whether the last token attends to the answers of the examples."""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.layout import Words, absent, sheet, sheet_width
from attnpipe.figures.style import FAINT, GRID, MARKERS, RULE, SMALL, TEXT, Look, colormap, styled
from attnpipe.figures.text import shorten
from attnpipe.figures.texts.curves import draw_curve, layer_axis, layers_in
from attnpipe.figures.texts.parts import example_of
from attnpipe.figures.texts.selection import (
    OFF,
    absence_notes,
    by_layer,
    condition_of,
    cut_note,
    nothing,
    overall,
    panel_title,
    segments,
    split_models,
)
from attnpipe.figures.texts.variants import Looks, variant_name, variants_in
from attnpipe.schema.figure import FigureOptions

MOST, VARIANTS, COLUMNS = 4, 12, 3
"""Models and variants on one sheet; panels by layer side by side."""
MEASURES = {"mass": "mass", "mass_relative": "mass / uniform"}
VALUES = "attention to examples"
TALL = (1.7, 1.4)
"""Inches of the panels over all layers, and of those by layer."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return, per model, mass on each example's answer: over all layers, and by layer."""
    condition = condition_of("few_shot", options.view)
    frame = _answers_only(segments(tables, list(MEASURES), condition))
    models, missing = split_models(context, frame, MOST)
    known = variants_in(tables, frame)
    names = known[:VARIANTS]
    words = Words(
        title="Does the last token attend to the examples' answers?",
        subtitle="Attention to each example's answer, mean over heads and questions"
        f"{OFF.get(condition or '', '')}. Uniform attention gives mass / uniform = 1, "
        f"however long the prompt is. Bars and bands: {PERCENT} intervals over questions.",
        notes=[
            *cut_note(len(models), frame["model"].n_unique()),
            *cut_note(len(names), len(known), "variants"),
            *absence_notes(tables, context, missing, VALUES),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, VALUES)
    looks = Looks(tables, context, names)
    examples = _example_looks(frame, context, options)
    lines = -(-len(names) // COLUMNS)
    heights = [TALL[0], *([TALL[1]] * lines)] * len(models)
    figure = sheet(context, words, heights, _legend(looks, names, examples, options.color))
    spec = figure.add_gridspec(len(heights), 6, height_ratios=heights)
    for place, model in enumerate(models):
        mine = frame.filter(pl.col("model") == model)
        top = place * (lines + 1)
        _over_layers(figure, spec, top, mine, context, looks, names, options)
        _by_layers(figure, spec, top + 1, mine, context, examples, names, options)
    return figure


def _over_layers(
    figure: Figure, spec: GridSpec, top: int, frame: pl.DataFrame, context: FigureContext,
    looks: Looks, names: Sequence[str], options: FigureOptions,
) -> None:  # fmt: skip
    """Draw the mean over all layers, raw and relative: examples from left to right."""
    room = 0.5 * sheet_width(context) - 0.5
    values = overall(frame)
    for k, (measure, label) in enumerate(MEASURES.items()):
        ax = figure.add_subplot(spec[top, 3 * k : 3 * k + 3])
        mine = values.filter(pl.col("measure") == measure)
        for place, variant in enumerate(names):
            shift = 0.5 * ((place + 0.5) / len(names) - 0.5)
            _points(ax, mine.filter(pl.col("variant") == variant), looks[variant], shift)
        if mine.is_empty():
            absent(ax, "no mean over layers in the tables", room)
        _example_axis(ax, frame)
        if measure == "mass_relative":
            _uniform(ax, options)
        ax.set_ylim(bottom=0)
        ax.set_ylabel(label, size=SMALL)
        model = str(frame["model"][0])
        ax.set_title(panel_title(context, model, "mean over layers", room))


def _points(ax: Axes, frame: pl.DataFrame, look: Look, shift: float) -> None:
    """Draw one variant: its examples, and all of them together (0) at the left."""
    points = frame.sort("example").select("example", "mean", "lo95", "hi95")
    for example, mean, lo, hi in points.iter_rows():
        x = example + shift
        if lo is not None and hi is not None:
            ax.plot([x, x], [lo, hi], color=look.color, lw=1.2, solid_capstyle="butt")
        ax.plot(
            [x], [mean], color=look.color, marker=look.marker, markersize=4.6,
            markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip


def _example_axis(ax: Axes, frame: pl.DataFrame) -> None:
    examples = frame["example"].unique().sort().to_list()
    step = 1 + len(examples) // 9
    ticks = [e for e in examples if e == 0 or (e - 1) % step == 0]
    ax.set_xticks(ticks, ["all" if e == 0 else f"{e}" for e in ticks])
    ax.set_xlim(min(examples) - 0.5, max(examples) + 0.5)
    ax.set_xlabel("example (1 = first in the prompt)", size=SMALL)
    ax.grid(axis="y", color=GRID, lw=0.5)
    ax.set_axisbelow(True)
    if 0 in examples:
        ax.axvline(0.5, color=FAINT, lw=0.6)


def _by_layers(
    figure: Figure, spec: GridSpec, top: int, frame: pl.DataFrame, context: FigureContext,
    examples: Mapping[int, Look], names: Sequence[str], options: FigureOptions,
) -> None:  # fmt: skip
    """Draw relative mass by layer, one panel per number of examples."""
    relative = by_layer(frame.filter(pl.col("measure") == "mass_relative"))
    wide = 6 // min(COLUMNS, len(names))
    room = sheet_width(context) * wide / 6 - 0.4
    axes: list[Axes] = []
    for place, variant in enumerate(names):
        row, column = divmod(place, COLUMNS)
        at = spec[top + row, wide * column : wide * (column + 1)]
        ax = figure.add_subplot(at, sharey=axes[0] if axes else None)
        axes.append(ax)
        own = relative.filter(pl.col("variant") == variant)
        for example, look in examples.items():
            draw_curve(ax, own.filter(pl.col("example") == example), look)
        if own.is_empty():
            absent(ax, "no values by layer", room)
        _uniform(ax, options)
        layer_axis(ax, layers_in(relative))
        ax.set_xlabel("layer", size=SMALL)
        ax.tick_params(labelleft=column == 0)
        if column == 0:
            ax.set_ylabel(MEASURES["mass_relative"], size=SMALL)
        ax.set_title(shorten(f"{variant_name(variant)}, by layer", room, TEXT))
    axes[0].set_ylim(bottom=0)


def _uniform(ax: Axes, options: FigureOptions) -> None:
    ax.axhline(1.0, color=options.color or RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)


def _example_looks(
    frame: pl.DataFrame, context: FigureContext, options: FigureOptions
) -> dict[int, Look]:
    """Return how examples are drawn: from dark to light, as they come in the prompt."""
    numbers = [e for e in frame["example"].unique().sort() if e]
    colors = colormap(options.colormap, context.style.sequential)
    step = 0.8 / max(1, len(numbers) - 1)
    return {
        e: Look(to_hex(colors(k * step)), MARKERS[k % len(MARKERS)], "-")
        for k, e in enumerate(numbers)
    }


def _legend(
    looks: Looks, names: Sequence[str], examples: Mapping[int, Look], uniform: str | None
) -> list[Artist]:
    entries: list[Artist] = [looks.key(variant, line=False) for variant in names]
    for example, own in examples.items():
        entries.append(
            Line2D([], [], color=own.color, marker=own.marker, markersize=3,
                   label=f"example {example}")
        )  # fmt: skip
    return [*entries, rule_key("uniform", uniform)]


def _answers_only(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of examples' answers, with the `example`: from 1, 0 for all of them."""
    number = {s: e for s in frame["span"].unique().sort() if (e := example_of(s)) is not None}
    return frame.filter(pl.col("span").is_in(list(number))).with_columns(
        example=pl.col("span").replace_strict(number, return_dtype=pl.Int64)
    )
