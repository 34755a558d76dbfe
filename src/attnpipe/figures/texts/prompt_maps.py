"""Who attends to whom: the representative text, token by token, in every variant."""

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import MAX_PANELS, Words, absent, sheet, sheet_width
from attnpipe.figures.style import SMALL, SOME_SINK, colormap, styled
from attnpipe.figures.texts.bars import label_bar
from attnpipe.figures.texts.selection import (
    CONDITIONS,
    MAPS,
    OFF_SINKS,
    PRETRAINED,
    absence_notes,
    chosen,
    cut_note,
    nothing,
    of_prompt,
    panel_title,
    split_models,
    too_long,
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
"""Tokens by default: the first ones."""
CELL, MOST = 0.32, 4.8
"""Most inches of a cell, and of a map."""
LEAST_SIDE = 1.2
"""Least inches of a map, and those of a named gap."""
NAMES = {
    "last_layer": "last layer, mean over heads",
    "mean": "mean over all layers and heads",
    "max": "maximum over all layers and heads",
    "rollout": "rollout through all layers",
}
TITLE = "Which tokens attend to which? The representative text, token by token"


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one heat map per variant: queries from top to bottom, keys from left to right."""
    condition = CONDITIONS[options.condition or "all_keys"]
    frame = tables["maps"].filter(
        (pl.col("checkpoint") == PRETRAINED)
        & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        & pl.col("value").is_finite()
    )
    models, without = split_models(context, frame, MAX_PANELS)
    if not models:
        return nothing(tables, context, TITLE, MAPS)
    hint = "; name it in analysis.text.views, and it will be there"
    view = chosen("prompt_maps", options.view, _views(frame), "last_layer", hint)
    frame = frame.filter(pl.col("view") == view)
    known = prompts_in(tables, frame, models)
    gaps = {
        (model, variant): why
        for model in models
        for variant, why in too_long(tables, model).items()
        if (model, variant) not in known
    }
    prompts = [*known, *gaps]
    shown = prompts[:MAX_PANELS]
    texts = {model: shown_texts(tables, model) for model in models}
    maps: list[TokenMap | None] = []
    for model, variant in shown:
        if (model, variant) in gaps:
            maps.append(None)
            continue
        item = texts[model].get(variant)
        tokens = None if item is None else token_line(tables, model, item)
        maps.append(token_map(of_prompt(frame, model, variant), tokens, options.tokens or TOKENS))
    words = Words(
        title=TITLE,
        subtitle=f"Shown: {NAMES.get(view, _head_name(view))}"
        f"{', ' + OFF_SINKS if condition else ''}. Each row is a token that attends "
        "(query), each column one that is attended to (key); white: cannot be seen, or weight 0. "
        "Special tokens and the first one, where attention is parked, are grey and not on the "
        "colour scale.",
        notes=[
            *cut_note(len(shown), len(prompts), "maps"),
            *_beginnings(maps),
            *absence_notes(tables, context, without, MAPS),
        ],
    )
    rows = _rows(maps)
    wide = sheet_width(context)
    rooms = [wide if _broad(maps[row[0]]) or len(maps) == 1 else wide / 2 for row in rows]
    sides = [_side(room, [maps[k] for k in row]) for room, row in zip(rooms, rows, strict=True)]
    heights = [side + LABEL + 0.35 for side in sides]
    legend = [Patch(color=SOME_SINK, lw=0, label="special or first token, darker for more weight")]
    figure = sheet(context, words, [*heights, 0.42], legend)
    spec = figure.add_gridspec(len(rows), 2, height_ratios=heights)
    colors = colormap(options.colormap, context.style.sequential)
    norm = common_scale([one for one in maps if one is not None], log=bool(options.log))
    axes = []
    for line, (row, room, side) in enumerate(zip(rows, rooms, sides, strict=True)):
        for column, k in enumerate(row):
            ax = figure.add_subplot(spec[line, :] if room == wide else spec[line, column])
            model, variant = shown[k]
            name, one = variant_name(variant), maps[k]
            if one is None:
                ax.set_xticks([])
                ax.set_yticks([])
                absent(ax, f"left out: {gaps[model, variant]}", room - LABEL - 0.5)
            else:
                image = draw_map(ax, one, colors, norm, side)
                name += f" ({one.extent})"
            ax.set_title(panel_title(context, model, name, room - LABEL - 0.3))
            axes.append(ax)
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=50, shrink=0.6, pad=0.01)
    label_bar(bar, log=bool(options.log))
    bar.set_label("attention weight" + (" (logarithmic)" if options.log else ""), size=SMALL)
    return figure


def _beginnings(maps: Sequence[TokenMap | None]) -> list[str]:
    """Say how to see the ends of texts that begin alike, as prompts with examples do."""
    if sum(one is not None and one.extent.startswith("first") for one in maps) < 2:
        return []
    return ["Prompts with the same first example begin alike: tokens=-20 shows their ends."]


def _rows(maps: Sequence[TokenMap | None]) -> list[list[int]]:
    """Return which maps stand side by side: two that are narrow, or a broad one alone."""
    rows: list[list[int]] = []
    for k, one in enumerate(maps):
        last = rows[-1] if rows else []
        if len(last) == 1 and not _broad(one) and not _broad(maps[last[0]]):
            last.append(k)
        else:
            rows.append([k])
    return rows


def _broad(one: TokenMap | None) -> bool:
    return one is not None and one.broad


def _side(room: float, maps: Sequence[TokenMap | None]) -> float:
    """Return the inches of a map's side, in a row where each has `room`."""
    most = max(0 if one is None else len(one.labels) for one in maps)
    return min(room - 0.35 - LABEL, MOST, max(LEAST_SIDE, CELL * most))


def _views(frame: pl.DataFrame) -> list[str]:
    """Return the views that the table has: those over several heads first."""
    known = [v for v in NAMES if (frame["view"] == v).any()]
    return known + sorted(set(frame["view"]) - set(known))


def _head_name(view: str) -> str:
    layer, _, head = view.removeprefix("l").partition("h")
    return f"layer {layer}, head {head}" if head else f"layer {layer}, mean over heads"
