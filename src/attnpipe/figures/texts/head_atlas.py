"""What every head does: layers × heads, one map per metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest
from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import MAX_PANELS, Words, sheet, sheet_width
from attnpipe.figures.style import QUIET, SMALL, colormap, styled
from attnpipe.figures.texts.bars import label_bar
from attnpipe.figures.texts.heads import NAMED, Ends, ends, grid_of, head_name, heads_of
from attnpipe.figures.texts.selection import (
    CONDITIONS,
    OFF_SINKS,
    PRETRAINED,
    absence_notes,
    chosen,
    cut_note,
    model_note,
    nothing,
    panel_title,
    split_models,
)
from attnpipe.figures.texts.variants import variant_name, variants_in
from attnpipe.schema.figure import FigureOptions

NAMES = {
    "entropy_normalized": "entropy / ln n",
    "max_weight": "largest weight",
    "sink_mass": "mass on sinks",
    "diagonal": "own token",
    "previous_token": "previous token",
    "next_token": "next token",
    "duplicate_token": "earlier same token",
    "induction": "induction",
}
"""Metrics shown by default, as far as the tables have them."""
OF_LAST = ("entropy_normalized", "max_weight")
ROWS = {"last": "last token", "all": "all tokens"}
DECADES = 1e-3
VALUES = "metrics of heads"


@dataclass(frozen=True)
class Panel:
    """One map: of which model and metric, its title and its values."""

    model: str
    metric: tuple[str, str]
    title: str
    values: Float[np.ndarray, "head layer"]


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one map per model and metric: layers from left to right, heads downwards."""
    condition = CONDITIONS[options.condition or "all_keys"]
    frame = tables["text_summary"].filter(
        pl.col("layer").is_not_null()
        & pl.col("head").is_not_null()
        & (pl.col("checkpoint") == PRETRAINED)
        & pl.col("condition").eq_missing(pl.lit(condition, pl.String))
        & pl.col("target").is_null()
        & pl.col("mean").is_finite()
    )
    models, missing = split_models(context, frame, MAX_PANELS)
    title = "What does each head do? Layers × heads"
    if not models:
        return nothing(tables, context, title, VALUES)
    variant = chosen("head_atlas", options.view, variants_in(tables, frame))
    frame = frame.filter(pl.col("variant") == variant)
    metrics = _metrics(frame, options.metrics)
    panels = [p for m in models for p in _panels(frame, m, metrics)]
    if len(models) == 2:  # side by side
        panels.sort(key=lambda panel: metrics.index(panel.metric))
    shown = panels[:MAX_PANELS]
    marks = {
        m: ends(heads_of(tables, m, variant, condition))
        for m in dict.fromkeys(p.model for p in shown)
    }
    words = Words(
        title=title,
        subtitle=f"Texts: {variant_name(variant)}; mean over them"
        f"{', ' + OFF_SINKS if condition else ''}. Each map has its own "
        f"{'logarithmic ' if options.log else ''}colours. Marked: the {NAMED} most focused and "
        f"the {NAMED} most distributed heads, by normalised entropy of the last token's row.",
        xlabel="layer (0 = first)",
        ylabel="head",
        notes=[
            *cut_note(len(shown), len(panels), "maps"),
            *_named(context, marks),
            *absence_notes(tables, context, missing, VALUES),
        ],
    )
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    heads = max(p.values.shape[0] for p in shown)
    figure = sheet(context, words, [min(1.9, max(1.0, 0.45 + 0.065 * heads))] * rows, _legend())
    spec = figure.add_gridspec(rows, columns)
    for place, panel in enumerate(shown):
        ax = figure.add_subplot(spec[place // columns, place % columns])
        _map(figure, ax, panel, options, context)
        _mark(ax, marks[panel.model])
        room = sheet_width(context) / columns - 0.7
        ax.set_title(panel_title(context, panel.model, panel.title, room))
    return figure


def _metrics(frame: pl.DataFrame, asked: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return metric and rows of each map.

    Raises
    ------
    UserError
        The tables have no such metric of heads.
    """
    known = set(frame.select("metric", "rows").unique().iter_rows())
    if asked is None:
        wanted = [(m, "last" if m in OF_LAST else "all") for m in NAMES]
        return [pair for pair in wanted if pair in known] or sorted(known)[: len(NAMES)]
    found = []
    for name in asked:
        rows, _, metric = name.rpartition("/")
        choices = [(metric, r) for r in ([rows] if rows else ["last", "all"])]
        present = [pair for pair in choices if pair in known]
        if not present:
            names = sorted({m for m, _ in known} | {f"{r}/{m}" for m, r in known})
            raise UserError(
                f"figure.show.head_atlas.metrics names '{name}', which the tables do not have of "
                f"single heads: {nearest(name, names)}"
            )
        found.append(present[0])
    return found


def _panels(frame: pl.DataFrame, model: str, metrics: Sequence[tuple[str, str]]) -> list[Panel]:
    mine = frame.filter(pl.col("model") == model)
    found = []
    for metric, rows in metrics:
        values = mine.filter((pl.col("metric") == metric) & (pl.col("rows") == rows))
        if values.height:
            name = NAMES.get(metric, metric.replace("_", " "))
            title = f"{name} ({ROWS.get(rows, rows)})"
            found.append(Panel(model, (metric, rows), title, grid_of(values)))
    return found


def _map(
    figure: Figure, ax: Axes, panel: Panel, options: FigureOptions, context: FigureContext
) -> None:
    finite = panel.values[np.isfinite(panel.values)]
    low, high = min(0.0, float(finite.min())), float(finite.max())
    top = high if high > low else low + 1.0
    norm = Normalize(low, top)
    if options.log and high > 0:
        norm = LogNorm(max(float(finite[finite > 0].min()), high * DECADES), high, clip=True)
    colors = colormap(options.colormap, context.style.sequential)
    image = ax.imshow(panel.values, cmap=colors, norm=norm, aspect="auto", interpolation="nearest")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    bar = figure.colorbar(image, ax=ax, pad=0.02, fraction=0.06, aspect=12)
    label_bar(bar, log=bool(options.log), ends=True)
    bar.ax.tick_params(labelsize=SMALL, colors=QUIET, length=2)


def _mark(ax: Axes, marked: Ends) -> None:
    """Mark heads in white with a dark edge, which reads on every colour."""
    for heads, marker in ((marked.focused, "^"), (marked.distributed, "v")):
        ax.plot(
            heads["layer"].to_numpy(), heads["head"].to_numpy(), ls="", marker=marker,
            markersize=3.6, color="white", markeredgecolor="black", markeredgewidth=0.5,
        )  # fmt: skip


def _legend() -> list[Line2D]:
    words = {"^": "most focused", "v": "most distributed"}
    return [
        Line2D([], [], ls="", marker=m, markersize=4, color="white", markeredgecolor="black",
               markeredgewidth=0.5, label=label)
        for m, label in words.items()
    ]  # fmt: skip


def _named(context: FigureContext, marks: Mapping[str, Ends]) -> list[str]:
    """Name the marked heads, the focused ones with the token that they look at."""
    notes = []
    for model, found in list(marks.items())[:3]:
        for label, heads, token in (
            ("most focused", found.focused, True),
            ("most distributed", found.distributed, False),
        ):
            if heads.height:
                names = ", ".join(head_name(h, token=token) for h in heads.iter_rows(named=True))
                notes.append(model_note(context, model, f"{label}: {names}."))
    return notes
