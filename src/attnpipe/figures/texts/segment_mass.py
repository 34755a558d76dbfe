"""On which parts of the prompt the last token's attention lies, layer by layer."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.layout import MAX_PANELS, Words, sheet, sheet_width
from attnpipe.figures.selection import Tables
from attnpipe.figures.style import GRID, MARKERS, RULE, SINK, SMALL, Look, styled
from attnpipe.figures.texts.curves import LAYERS, draw_curve, layer_axis
from attnpipe.figures.texts.parts import PARTS
from attnpipe.figures.texts.selection import (
    OFF,
    absence_notes,
    by_layer,
    condition_of,
    cut_note,
    nothing,
    of_prompt,
    panel_title,
    segments,
    split_models,
    summary,
)
from attnpipe.figures.texts.stack import Stack, stack_of
from attnpipe.figures.texts.tokens import shown_texts, token_line
from attnpipe.figures.texts.variants import prompts_in, variant_name
from attnpipe.schema.figure import FigureOptions

MOST, COLUMNS = MAX_PANELS // 2, 4
"""Prompts on one sheet; panels side by side."""
TALL = (1.35, 1.05)
"""Inches of the upper and the lower panel of a prompt."""
RELATIVE = (0.01, 100.0)
"""Widest limits of the axis of relative mass."""
VALUES = "mass on parts of the prompt"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return, per variant, the stacked masses and below them the masses over uniform."""
    condition = condition_of("segment_mass", options.view, "sinks_removed")
    part = pl.col("span").is_in(options.spans or list(PARTS))
    raw = by_layer(segments(tables, ["mass"])).filter(part & (pl.col("n_matches") > 0))
    relative = by_layer(segments(tables, ["mass_relative"], condition)).filter(part)
    models, missing = split_models(context, raw, MAX_PANELS)
    prompts = prompts_in(tables, raw, models)
    shown = prompts[:MOST]
    words = Words(
        title="What does the last token attend to? Mass on the parts of the prompt",
        subtitle="Above: weights of the last token's row, mean over heads and questions; they add "
        "up to 1. Below: the same over what uniform attention would give to as many tokens"
        f"{OFF.get(condition or '', '')} (logarithmic; 1 = uniform), with {PERCENT} "
        "intervals over questions.",
        xlabel=LAYERS,
        notes=[
            *cut_note(len(shown), len(prompts), "prompts"),
            *absence_notes(tables, context, missing, VALUES),
        ],
    )
    if not shown:
        return nothing(tables, context, words.title, VALUES)
    stacks = _stacks(tables, raw, shown)
    looks, limits = _looks(context), _limits(relative)
    columns = min(COLUMNS, len(shown))
    heights = [*TALL] * -(-len(shown) // columns)
    legend = _legend(looks, set(raw["span"]), stacks, options.color)
    figure = sheet(context, words, heights, legend)
    spec = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    room = sheet_width(context) / columns - 0.35
    for place, (prompt, stack) in enumerate(zip(shown, stacks, strict=True)):
        row, column = 2 * (place // columns), place % columns
        above, below = (figure.add_subplot(spec[row + k, column]) for k in (0, 1))
        _stacked(above, stack, looks)
        _relative(below, of_prompt(relative, *prompt), looks, limits)
        below.axhline(1.0, color=options.color or RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)
        for ax in (above, below):
            layer_axis(ax, int(stack.layers.max()) + 1, ticks=5)
            ax.tick_params(labelleft=column == 0)
        above.tick_params(labelbottom=False)
        model, variant = prompt
        above.set_title(panel_title(context, model, variant_name(variant), room))
        if column == 0:
            above.set_ylabel("mass", size=SMALL)
            below.set_ylabel("mass / uniform", size=SMALL)
    return figure


def _stacks(tables: Tables, raw: pl.DataFrame, prompts: Sequence[tuple[str, str]]) -> list[Stack]:
    sinks = by_layer(summary(tables, ["sink_mass"], "last"))
    texts = {model: shown_texts(tables, model) for model, _ in prompts}
    found = []
    for model, variant in prompts:
        item = texts[model].get(variant)
        tokens = None if item is None else token_line(tables, model, item)
        own = of_prompt(raw, model, variant)
        found.append(stack_of(own, of_prompt(sinks, model, variant), tokens))
    return found


def _looks(context: FigureContext) -> dict[str, Look]:
    palette = context.style.palette
    return {p: Look(palette[k % len(palette)], MARKERS[k], "-") for k, p in enumerate(PARTS)}


def _legend(
    looks: Mapping[str, Look], used: set[str], stacks: Sequence[Stack], uniform: str | None
) -> list[Artist]:
    entries = [Patch(color=looks[p].color, lw=0, label=PARTS[p]) for p in PARTS if p in used]
    if any(stack.sink is not None for stack in stacks):
        entries.insert(0, Patch(color=SINK, lw=0, label="sinks"))
    return [*entries, Patch(color=GRID, lw=0, label="rest"), rule_key("uniform", uniform)]


def _stacked(ax: Axes, stack: Stack, looks: Mapping[str, Look]) -> None:
    """Draw a bar per layer: there is nothing between layers."""
    floor = np.zeros(len(stack.layers))
    masses = [] if stack.sink is None else [(SINK, stack.sink)]
    masses += [(looks[part].color, mass) for part, mass in stack.masses.items()]
    for color, mass in [*masses, (GRID, np.maximum(1 - sum(m for _, m in masses), 0.0))]:
        ax.stairs(
            floor + mass, np.append(stack.layers, stack.layers[-1] + 1) - 0.5, baseline=floor,
            fill=True, color=color, lw=0,
        )  # fmt: skip
        floor = floor + mass
    ax.set_ylim(0.0, 1.0)


def _limits(relative: pl.DataFrame) -> tuple[float, float]:
    """Return whole powers of ten around all values, at least from 0.1 to 10."""
    low, high = RELATIVE
    found = relative["mean"].clip(low, high).to_list()
    least, most = min([0.1, *found]), max([10.0, *found])
    return 10.0 ** math.floor(math.log10(least)), 10.0 ** math.ceil(math.log10(most))


def _relative(
    ax: Axes, frame: pl.DataFrame, looks: Mapping[str, Look], limits: tuple[float, float]
) -> None:
    clipped = frame.with_columns(pl.col("mean", "lo95", "hi95").clip(*limits))
    for part in PARTS:
        draw_curve(ax, clipped.filter(pl.col("span") == part), looks[part])
    ax.set_yscale("log")
    ax.set_ylim(*limits)
    ax.yaxis.set_major_locator(FixedLocator([0.01, 0.1, 1.0, 10.0, 100.0]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
