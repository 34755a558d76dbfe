"""How much the last token attends to keywords, most attended first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import Row, draw_rows, key, row_height, span
from attnpipe.figures.layout import MAX_PANELS, Words, sheet, sheet_width
from attnpipe.figures.style import INK, Look, styled
from attnpipe.figures.texts.selection import (
    absence_notes,
    chosen,
    cut_note,
    nothing,
    of_prompt,
    panel_title,
    segments,
    split_models,
)
from attnpipe.figures.texts.tokens import readable
from attnpipe.figures.texts.variants import Looks, prompts_in, variant_name
from attnpipe.schema.figure import FigureOptions

KEYWORD = "keyword: "
ON_SINK = "on a declared sink, off the scale: {:.3f}"
OPERANDS = {"{first}": "first operand", "{second}": "second operand"}
MOST, ROWS = 12, 14
"""Prompts on one sheet, keywords of each."""
HEAD = re.compile(r"l([0-9]+)h([0-9]+)")
VALUES = "keywords in the texts"
PUBLISHED = 6.0
"""Size of hollow marks: they show around a mark at the same place."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one panel per prompt, one row per keyword in it."""
    frame = _keywords(segments(tables, ["mass"]))
    off = _keywords(segments(tables, ["mass"], "sinks_removed"))
    published = _keywords(segments(tables, ["as_published"]))
    models, missing = split_models(context, frame, MAX_PANELS)
    title = "How much does the last token attend to keywords?"
    if not models:
        return nothing(tables, context, title, VALUES)
    view = chosen("keywords", options.view, _views(frame), "last_layer")
    frame, off = _of_view(frame, view), _of_view(off, view)
    prompts = prompts_in(tables, frame, models)
    shown = prompts[:MOST]
    looks = Looks(tables, context, [v for _, v in shown])
    panels = [
        _rows(of_prompt(frame, *p), of_prompt(published, *p), of_prompt(off, *p), looks[p[1]])
        for p in shown
    ]
    words = Words(
        title=title,
        subtitle=f"Mass of the last token's row on all occurrences, {_name(view)}, mean over "
        f"questions with {PERCENT} interval. Hollow: by the published rule (substring of a "
        "token, last layer, mean over heads, equal tokens counted once). Words on a special "
        "token or the first one, where attention is parked, are not on the scale. Scales differ.",
        xlabel="mass",
        notes=[
            *cut_note(len(shown), len(prompts), "prompts"),
            *_left_out(frame, shown),
            *absence_notes(tables, context, missing, VALUES),
        ],
    )
    legend = [
        key(f"mean and {PERCENT} interval", line=True),
        key("as published", marker="D", hollow=True, size=PUBLISHED),
    ]
    columns = min(2, len(shown))
    lines = [panels[k : k + columns] for k in range(0, len(panels), columns)]
    heights = [0.45 + max(map(len, line)) * row_height(9) for line in lines]
    figure = sheet(context, words, heights, legend)
    spec = figure.add_gridspec(len(lines), columns, height_ratios=heights)
    wide = sheet_width(context) / columns
    for place, (prompt, rows) in enumerate(zip(shown, panels, strict=True)):
        ax = figure.add_subplot(spec[place // columns, place % columns])
        draw_rows(
            ax, [replace(r, reference=None) for r in rows], labels=True, room=min(1.2, 0.35 * wide)
        )
        _mark_published(ax, rows)
        if any(row.mean is not None for row in rows):
            ax.set_xlim(*span(rows, 0.0))
            ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
        else:
            ax.set_xticks([])
        ax.set_title(panel_title(context, prompt[0], variant_name(prompt[1]), 0.5 * wide))
    return figure


def _mark_published(ax: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if row.reference is not None:
            ax.plot(
                [row.reference], [place], marker="D", markersize=PUBLISHED, zorder=5,
                markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.7,
            )  # fmt: skip


def _keywords(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("span").str.starts_with(KEYWORD))


def _views(frame: pl.DataFrame) -> list[str]:
    """Return the views that the table has: last layer, mean, single heads."""
    heads = frame.select("layer", "head").drop_nulls().unique().sort("layer", "head")
    return ["last_layer", "mean", *(f"l{layer}h{head}" for layer, head in heads.iter_rows())]


def _name(view: str) -> str:
    names = {"last_layer": "last layer, mean over heads", "mean": "mean over layers and heads"}
    match = HEAD.fullmatch(view)
    return names[view] if match is None else f"layer {match[1]}, head {match[2]}"


def _of_view(frame: pl.DataFrame, view: str) -> pl.DataFrame:
    match = HEAD.fullmatch(view)
    if match is not None:
        head = (pl.col("layer") == int(match[1])) & (pl.col("head") == int(match[2]))
        return frame.filter(head)
    means = frame.filter(pl.col("head").is_null())
    if view == "mean":
        return means.filter(pl.col("layer").is_null())
    last = pl.col("layer").max().over("model")
    return means.filter(pl.col("layer") == last)


def _rows(frame: pl.DataFrame, published: pl.DataFrame, off: pl.DataFrame, look: Look) -> list[Row]:
    """Return a prompt's keywords by descending mass; those on a sink are named, not drawn.

    Without the sinks others get a larger share of what is left: a word that gets less is on one.
    """
    twins = dict(published.select("span", "mean").iter_rows())
    without = dict(off.select("span", "mean").iter_rows())
    found = frame.filter(pl.col("n_matches") > 0).sort(
        "mean", "span", descending=[True, False], nulls_last=True
    )
    rows = [
        Row(_label(r["span"]), look, missing=ON_SINK.format(r["mean"]))
        if without.get(r["span"], r["mean"]) < r["mean"]
        else Row(_label(r["span"]), look, mean=r["mean"], lo=r["lo95"], hi=r["hi95"],
                 reference=twins.get(r["span"]))
        for r in found.head(ROWS).iter_rows(named=True)
    ]  # fmt: skip
    return rows or [Row("", look, missing="none of the keywords")]


def _label(span_name: str) -> str:
    word = span_name.removeprefix(KEYWORD)
    return OPERANDS.get(word) or readable(word)


def _left_out(frame: pl.DataFrame, shown: Sequence[tuple[str, str]]) -> list[str]:
    """Say which keywords are left out: absent from a prompt, or too many for a panel."""
    rows = [of_prompt(frame, *p) for p in shown]
    there = [own.filter(pl.col("n_matches") > 0).height for own in rows]
    notes = []
    if any(own.height > found for own, found in zip(rows, there, strict=True)):
        notes.append("Keywords that a prompt does not have are left out of its panel.")
    return notes + cut_note(ROWS, max(there), "keywords")
