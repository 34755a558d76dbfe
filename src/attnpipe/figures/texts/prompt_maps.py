"""Who attends to whom: the representative text, token by token, in every variant."""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import MAX_PANELS, Words, sheet, sheet_width
from attnpipe.figures.style import SMALL, colormap, styled
from attnpipe.figures.texts.bars import label_bar
from attnpipe.figures.texts.selection import (
    PRETRAINED,
    absence_notes,
    chosen,
    cut_note,
    nothing,
    of_prompt,
    panel_title,
    split_models,
)
from attnpipe.figures.texts.token_map import (
    LABEL,
    TokenMap,
    common_scale,
    draw_map,
    token_map,
)
from attnpipe.figures.texts.tokens import shown_texts, token_line
from attnpipe.figures.texts.variants import prompts_in, variant_name
from attnpipe.schema.figure import FigureOptions

TOKENS = 20
"""Tokens by default."""
CELL, MOST = 0.32, 4.8
"""Most inches of a cell, and of a map."""
NAMES = {
    "last_layer": "last layer, mean over heads",
    "mean": "mean over all layers and heads",
    "max": "maximum over all layers and heads",
    "rollout": "rollout through all layers",
}
VALUES = "maps of attention"
TITLE = "Which tokens attend to which? The representative text, token by token"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one heat map per variant: queries from top to bottom, keys from left to right."""
    frame = tables["maps"].filter(
        (pl.col("checkpoint") == PRETRAINED) & pl.col("value").is_finite()
    )
    models, absent = split_models(context, frame, MAX_PANELS)
    if not models:
        return nothing(tables, context, TITLE, VALUES)
    hint = "; name it in analysis.text.views, and it will be there"
    view = chosen("prompt_maps", options.view, _views(frame), "last_layer", hint)
    frame = frame.filter(pl.col("view") == view)
    prompts = prompts_in(tables, frame, models)
    shown = prompts[:MAX_PANELS]
    texts = {model: shown_texts(tables, model) for model in models}
    maps = []
    for model, variant in shown:
        item = texts[model].get(variant)
        tokens = None if item is None else token_line(tables, model, item)
        maps.append(token_map(of_prompt(frame, model, variant), tokens, options.tokens or TOKENS))
    words = Words(
        title=TITLE,
        subtitle=f"Shown: {NAMES.get(view, _head_name(view))}. Each row is a token that attends "
        "(query), each column one that is attended to (key); white: cannot be seen, or weight 0. "
        "Special tokens and the first one, where attention is parked, are grey and not on the "
        "colour scale.",
        notes=[
            *cut_note(len(shown), len(prompts), "maps"),
            *absence_notes(tables, context, absent, VALUES),
        ],
    )
    rows = _rows(maps)
    wide = sheet_width(context)
    rooms = [wide if maps[row[0]].broad or len(maps) == 1 else wide / 2 for row in rows]
    sides = [_side(room, [maps[k] for k in row]) for room, row in zip(rooms, rows, strict=True)]
    heights = [side + LABEL + 0.35 for side in sides]
    legend = [Patch(color="#bcbcbc", lw=0, label="special or first token, darker for more weight")]
    figure = sheet(context, words, [*heights, 0.42], legend)
    spec = figure.add_gridspec(len(rows), 2, height_ratios=heights)
    colors = colormap(options.colormap, context.style.sequential)
    norm = common_scale(maps, log=bool(options.log))
    axes = []
    for line, (row, room, side) in enumerate(zip(rows, rooms, sides, strict=True)):
        for column, k in enumerate(row):
            ax = figure.add_subplot(spec[line, :] if room == wide else spec[line, column])
            image = draw_map(ax, maps[k], colors, norm, side)
            model, variant = shown[k]
            name = f"{variant_name(variant)} ({maps[k].extent})"
            ax.set_title(panel_title(context, model, name, room - LABEL - 0.3))
            axes.append(ax)
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=50, shrink=0.6, pad=0.01)
    label_bar(bar, log=bool(options.log))
    bar.set_label("attention weight" + (" (logarithmic)" if options.log else ""), size=SMALL)
    return figure


def _rows(maps: Sequence[TokenMap]) -> list[list[int]]:
    """Return which maps stand side by side: two that are narrow, or a broad one alone."""
    rows: list[list[int]] = []
    for k, one in enumerate(maps):
        last = rows[-1] if rows else []
        if len(last) == 1 and not one.broad and not maps[last[0]].broad:
            last.append(k)
        else:
            rows.append([k])
    return rows


def _side(room: float, maps: Sequence[TokenMap]) -> float:
    """Return the inches of a map's side, in a row where each has `room`."""
    most = max(len(one.labels) for one in maps)
    return min(room - 0.35 - LABEL, MOST, max(1.2, CELL * most))


def _views(frame: pl.DataFrame) -> list[str]:
    """Return the views that the table has: those over several heads first."""
    known = [v for v in NAMES if (frame["view"] == v).any()]
    return known + sorted(set(frame["view"]) - set(known))


def _head_name(view: str) -> str:
    layer, _, head = view.removeprefix("l").partition("h")
    return f"layer {layer}, head {head}"
