"""How distributed the last token's attention is, layer by layer."""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnpipe.figures.context import PERCENT, FigureContext
from attnpipe.figures.dots import rule_key
from attnpipe.figures.layout import Words, absent, sheet, sheet_width
from attnpipe.figures.selection import Tables
from attnpipe.figures.style import QUIET, RULE, SMALL, Look, styled
from attnpipe.figures.texts.curves import LAYERS, draw_curve, layer_axis, layers_in
from attnpipe.figures.texts.selection import (
    OFF,
    UNTRAINED,
    absence_notes,
    by_layer,
    condition_of,
    cut_note,
    nothing,
    panel_title,
    split_models,
    summary,
)
from attnpipe.figures.texts.variants import Looks, variants_in
from attnpipe.schema.figure import FigureOptions

OURS, PUBLISHED = "entropy_normalized", "published_layer_entropy"
MOST = 8
"""Models on one sheet."""
RANDOM = Look(QUIET, "", ":")


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return curves over layers: entropy of each head's row, and of the mean row."""
    condition = condition_of("layer_entropy", options.view)
    ours = by_layer(summary(tables, [OURS], "last", condition=condition))
    published = by_layer(summary(tables, [PUBLISHED], "last"))
    random = by_layer(summary(tables, [OURS], "last", condition=condition, checkpoint=UNTRAINED))
    frame = pl.concat([ours, published])
    models, missing = split_models(context, frame, MOST)
    words = Words(
        title="How distributed is the last token's attention? Entropy by layer",
        subtitle=f"Left: of each head's row over ln of its n keys, then averaged over heads"
        f"{OFF.get(condition or '', '')}; 0 = one token, 1 = uniform. Right: of "
        "the row averaged over heads first, as published; it grows with the length of the "
        f"text and with heads that differ. Bands: {PERCENT} intervals over questions or sentences.",
        xlabel=LAYERS,
        notes=[
            *cut_note(len(models), frame["model"].n_unique()),
            *absence_notes(tables, context, missing, "entropy by layer"),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, "entropy by layer")
    names = variants_in(tables, frame)
    looks = Looks(tables, context, names)
    legend = [looks.key(v) for v in names]
    first = random.filter(pl.col("variant").is_in(names[:1]))
    if first.height:
        label = f"random weights, {legend[0].get_label()}"
        legend.append(Line2D([], [], color=QUIET, ls=":", lw=1.1, label=label))
    if ours.height:
        legend.append(rule_key("uniform", options.color))
    figure = sheet(context, words, [2.7 if len(models) == 1 else 1.7] * len(models), legend)
    axes = figure.subplots(len(models), 2, squeeze=False, sharex="row")
    for (left, right), model in zip(axes, models, strict=True):
        of = pl.col("model") == model
        _curves(left, tables, ours.filter(of), looks, options.color or RULE)
        draw_curve(left, first.filter(of), RANDOM)
        _curves(right, tables, published.filter(of), looks)
        for ax in (left, right):
            layer_axis(ax, layers_in(frame.filter(of)))
        left.set_ylim(0.0, 1.04)
        right.set_ylim(bottom=0.0)
        _titles(left, right, context, model)
    return figure


def _curves(
    ax: Axes, tables: Tables, frame: pl.DataFrame, looks: Looks, uniform: str | None = None
) -> None:
    """Draw one curve per variant, thin where `uniform` attention has no line.

    No curve is dashed: one in grey would look like that line.
    """
    for variant in variants_in(tables, frame):
        own = looks[variant]
        curve = frame.filter(pl.col("variant") == variant)
        if uniform is None:
            draw_curve(ax, curve, own, width=0.8)
        else:
            draw_curve(ax, curve, own)
    if uniform is not None and frame.height:
        ax.axhline(1.0, color=uniform, lw=0.8, ls=(0, (4, 2)), zorder=1)
    if frame.is_empty():
        absent(ax, "not in the tables", 1.5)


def _titles(left: Axes, right: Axes, context: FigureContext, model: str) -> None:
    room = 0.44 * sheet_width(context)
    for ax, title, label in (
        (left, "mean entropy of rows", "entropy / ln n"),
        (right, "entropy of the mean row (as published)", "entropy (nats)"),
    ):
        ax.set_title(panel_title(context, model, title, room))
        ax.set_ylabel(label, size=SMALL)
