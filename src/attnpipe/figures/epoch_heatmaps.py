"""How one run's profile forms while it trains: epoch × key position."""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import FigureContext
from attnpipe.figures.gaps import gap
from attnpipe.figures.last_query import LAST_QUERY
from attnpipe.figures.layout import (
    MAX_PANELS,
    Words,
    absent,
    empty_sheet,
    grid,
    panel_room,
    shown,
)
from attnpipe.figures.selection import epochs, heads_note, keys_of, values
from attnpipe.figures.style import QUIET, SMALL, colormap, styled
from attnpipe.figures.timeaxis import key_axis_name, label_keys
from attnpipe.schema.figure import FigureOptions

COLORBAR = 0.25
"""Inches of a panel's width that its colour bar may take."""


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one heat map per model for the representative seed."""
    points = epochs(values(tables, ["profile", LAST_QUERY]))
    twice = (points["metric"] == LAST_QUERY).any()
    models, cut = shown(context.attention_models, MAX_PANELS // 2 if twice else MAX_PANELS)
    window = keys_of(points, context)
    seed = context.representative_seed
    runs = points.filter(pl.col("seed") == seed)
    panels = [
        (model, metric)
        for model in models
        for metric in ("profile", LAST_QUERY)
        if metric == "profile" or not _of(runs, model, metric).is_empty()
    ]
    words = Words(
        title=f"Attention profile while the model trains, seed {seed}",
        subtitle="Weights averaged over samples and queries, or of the last query alone where "
        "published analyses take that row. Each colour bar has its own range; "
        f"1/n = {1 / window:.2g} is uniform attention.",
        xlabel=key_axis_name(context, window),
        ylabel="epoch (0 = untrained)",
        notes=[*cut, *heads_note(points)],
    )
    if points.is_empty():
        return empty_sheet(context, words, "no weights of training epochs are stored")
    colors = colormap(options.colormap, context.style.sequential)
    figure, axes = grid(context, words, [_title(context, *p) for p in panels], height=1.5)
    for ax, (model, metric) in zip(axes, panels, strict=True):
        run = _of(runs, model, metric)
        if run.is_empty():
            others = sorted(_of(points, model, metric)["seed"].unique())
            why = gap(tables, context, model, metric).full
            if others:
                why = f"nothing stored for seed {seed}; there is for seed {others[0]}"
            absent(ax, why, panel_room(context, panels) - COLORBAR)
            continue
        mesh = _map(ax, run, colors)
        _colorbar(figure, ax, mesh, keys_of(run, context))
    label_keys(axes[0], context, window, most=4 if len(panels) <= 4 else 3)
    last = points["epoch"].max()
    assert isinstance(last, int)  # not empty
    axes[0].set_ylim(last + 0.5, -0.5)
    axes[0].yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return figure


def _of(points: pl.DataFrame, model: str, metric: str) -> pl.DataFrame:
    return points.filter((pl.col("model") == model) & (pl.col("metric") == metric))


def _title(context: FigureContext, model: str, metric: str) -> str:
    return context.label(model) + (": last query" if metric == LAST_QUERY else "")


def edges(centres: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n+1"]:
    """Return cell borders halfway between neighbours; the outer cells are symmetric."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def _map(ax: Axes, run: pl.DataFrame, colors: Colormap) -> QuadMesh:
    table = run.pivot(on="target", index="epoch", values="value").sort("epoch")
    keys = sorted(int(c) for c in table.columns if c != "epoch")
    weights = table.select(str(k) for k in keys).to_numpy()
    rows, columns = table["epoch"].to_numpy().astype(np.float64), np.array(keys, dtype=np.float64)
    return ax.pcolormesh(edges(columns), edges(rows), weights, cmap=colors, rasterized=True)


def _colorbar(figure: Figure, ax: Axes, mesh: QuadMesh, keys: int) -> None:
    bar = figure.colorbar(mesh, ax=ax, pad=0.02, fraction=0.06, aspect=14)
    low, high = mesh.get_clim()
    uniform = 1 / keys
    # The ends are labelled only where they are clear of the label of uniform attention.
    room = 0.16 * (high - low)
    ends = [v for v in (low, high) if abs(v - uniform) > room]
    ticks = sorted([*ends, *([uniform] if low <= uniform <= high else [])])
    # As many digits as tell the ends apart: near-uniform maps span a hundredth of 1/n.
    digits = max(2, 1 + math.ceil(math.log10(high / (high - low)))) if high > low else 2
    bar.set_ticks(ticks, labels=["1/n" if v == uniform else f"{v:.{digits}g}" for v in ticks])
    bar.ax.tick_params(labelsize=SMALL, colors=QUIET, length=2)
    bar.outline.set_visible(False)
