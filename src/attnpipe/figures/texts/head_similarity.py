"""Which heads are alike: distances between all of them, ordered by cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import Words, absent, sheet, sheet_width
from attnpipe.figures.selection import Tables
from attnpipe.figures.style import QUIET, SMALL, colormap, styled
from attnpipe.figures.texts.bars import label_bar
from attnpipe.figures.texts.heads import heads_of
from attnpipe.figures.texts.selection import (
    CONDITIONS,
    DISTANCES,
    PRETRAINED,
    absence_notes,
    cut_note,
    model_note,
    nothing,
    panel_title,
    split_models,
    too_long,
)
from attnpipe.figures.texts.variants import variant_name
from attnpipe.schema.figure import FigureOptions

MOST = 6
"""Matrices on one sheet."""
LAYERS = "viridis"
"""Colours of layers, unlike those of distances."""
STRIP = 0.035
"""Width of the strip of layers, over that of the matrix."""
NAMED = 16
"""Clusters that are named at the right of a matrix, the largest."""
GAP = 0.055
"""Distance between their names, over the height of the matrix."""


@dataclass(frozen=True)
class Matrix:
    """Distances between the heads of one model, in the order of the picture.

    Attributes
    ----------
    distances
        NaN where the table has none; 0 on the diagonal.
    layer, cluster
        Of each head; cluster is −1 where there is none.
    """

    distances: Float[np.ndarray, "head head"]
    layer: Int64[np.ndarray, " head"]
    cluster: Int64[np.ndarray, " head"]


@styled
def draw(
    tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
) -> Figure:
    """Return one matrix per model and condition, with borders of clusters, colours of layers.

    Heads that park their weight on one key are alike whatever they do elsewhere; hence the
    matrix without sinks beside the other.
    """
    asked = [options.condition] if options.condition else list(CONDITIONS)
    frame = tables["head_distances"].filter(
        (pl.col("checkpoint") == PRETRAINED) & pl.col("distance").is_finite()
    )
    models, missing = split_models(context, frame, MOST // len(asked))
    shown = [(model, condition) for model in models for condition in asked]
    matrices = [_matrix(tables, frame, model, CONDITIONS[name]) for model, name in shown]
    words = Words(
        title="Which heads are alike? Distances between heads over the same rows",
        subtitle="√(JSD / ln 2), mean over rows, at most 64 evenly spaced ones of a text: 0 = same "
        "attention, 1 = nothing in common. Heads are ordered by cluster (lines), then by layer; "
        "the strips at the left and top show each head's layer. Names at the right, in the order "
        "of the clusters.",
        notes=[
            *_unnamed(matrices),
            *cut_note(len(models), frame["model"].n_unique()),
            *_too_long(tables, context, models),
            *absence_notes(tables, context, missing, DISTANCES),
        ],
    )
    if not models:
        return nothing(tables, context, words.title, DISTANCES)
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    tall = 4.3 if columns == 1 else 2.5
    figure = sheet(context, words, [*([tall] * rows), 0.45])
    spec = figure.add_gridspec(rows, columns)
    axes = [figure.add_subplot(spec[k // columns, k % columns]) for k in range(len(shown))]
    colors = colormap(options.colormap, context.style.sequential)
    layers = max(int(m.layer.max()) for m in matrices) + 1
    for ax, (model, condition), matrix in zip(axes, shown, matrices, strict=True):
        strip, image = _draw(ax, matrix, colors, layers)
        room = sheet_width(context) / columns - 0.8
        name = f"{len(matrix.layer)} heads, {condition.replace('_', ' ')}"
        ax.set_title(panel_title(context, model, name, room))
    for what, label in ((image, "distance between two heads"), (strip, "layer of a head")):
        bar = figure.colorbar(what, ax=axes, location="bottom", aspect=50, shrink=0.7, pad=0.015)
        bar.set_label(label, size=SMALL)
        label_bar(bar, log=False)
        bar.locator = MaxNLocator(nbins=6, integer=what is strip)
    return figure


def _too_long(tables: Tables, context: FigureContext, models: Sequence[str]) -> list[str]:
    """Name the texts that are left out of the distances, and why."""
    return [
        model_note(context, model, f"{variant_name(variant)} left out: {why}.")
        for model in models
        for variant, why in too_long(tables, model).items()
    ][:3]


def _matrix(tables: Tables, frame: pl.DataFrame, model: str, condition: str | None) -> Matrix:
    mine = frame.filter(pl.col("model") == model)
    ends = [mine.select(layer=f"layer_{end}", head=f"head_{end}") for end in ("a", "b")]
    mine = mine.filter(pl.col("condition").eq_missing(pl.lit(condition, pl.String)))
    clusters = heads_of(tables, model, condition=condition).select("layer", "head", "cluster")
    heads = (
        pl.concat(ends)
        .unique()
        .join(clusters, on=["layer", "head"], how="left")
        .sort("cluster", "layer", "head", nulls_last=True)
    )
    place = {pair: k for k, pair in enumerate(heads.select("layer", "head").iter_rows())}
    distances = np.full((len(place), len(place)), np.nan)
    np.fill_diagonal(distances, 0.0)
    a, b = (
        np.array(
            [place[pair] for pair in mine.select(f"layer_{end}", f"head_{end}").iter_rows()],
            dtype=np.int64,
        )
        for end in ("a", "b")
    )
    distances[a, b] = distances[b, a] = mine["distance"].to_numpy()
    cluster = heads["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    return Matrix(distances, heads["layer"].to_numpy().astype(np.int64), cluster)


def _draw(ax: Axes, matrix: Matrix, colors: Colormap, layers: int) -> tuple[AxesImage, AxesImage]:
    count = len(matrix.layer)
    wide = STRIP * count
    image = ax.imshow(
        matrix.distances, cmap=colors, vmin=0, vmax=1, interpolation="nearest",
        extent=(0, count, count, 0),
    )  # fmt: skip
    strips = [
        ax.imshow(
            values, cmap=LAYERS, vmin=0, vmax=max(layers - 1, 1), interpolation="nearest",
            extent=extent,
        )
        for values, extent in (
            (matrix.layer[:, None], (-1.4 * wide, -0.4 * wide, count, 0)),
            (matrix.layer[None, :], (0, count, -0.4 * wide, -1.4 * wide)),
        )
    ]  # fmt: skip
    ax.set_xlim(-1.4 * wide, count)
    ax.set_ylim(count, -1.4 * wide)
    ax.set_anchor("NW")  # square, narrower than its cell: what is left over lies below
    ax.set_axis_off()
    starts = np.flatnonzero(np.diff(matrix.cluster)) + 1
    for start in starts.tolist():
        ax.plot([start, start], [0, count], color="white", lw=0.8)
        ax.plot([0, count], [start, start], color="white", lw=0.8)
    _name_clusters(ax, matrix, [0, *starts.tolist(), count])
    if not np.isfinite(matrix.distances).any():
        absent(ax, "no distances", 1.0)
    return strips[0], image


def _name_clusters(ax: Axes, matrix: Matrix, borders: list[int]) -> None:
    """Write the number of each cluster and its heads at the right, with a line to its place."""
    count = len(matrix.layer)
    blocks = [(s, e) for s, e in pairwise(borders) if matrix.cluster[s] >= 0]
    named = sorted(sorted(blocks, key=lambda block: block[0] - block[1])[:NAMED])
    heights = spread([(start + end) / 2 for start, end in named], GAP * count, float(count))
    for (start, end), height in zip(named, heights, strict=True):
        line = ax.plot(
            [count, 1.02 * count, 1.05 * count], [(start + end) / 2, height, height],
            color=QUIET, lw=0.5, clip_on=False,
        )  # fmt: skip
        line[0].set_in_layout(False)
        ax.text(
            1.06 * count, height, f"cluster {matrix.cluster[start]}, n = {end - start}",
            va="center", size=SMALL,
        )  # fmt: skip


def spread(places: Sequence[float], gap: float, end: float) -> list[float]:
    """Move ascending places apart by at least `gap`, as little as it takes from the first on.

    None lies beyond `end`, unless there are too many for 0 … end: then they begin below 0.
    """
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + gap) if found else place)
    limit = end
    for k in reversed(range(len(found))):
        found[k] = min(found[k], limit)
        limit = found[k] - gap
    return found


def _unnamed(matrices: Sequence[Matrix]) -> list[str]:
    """Say that only the largest clusters are named, if there are more."""
    most = max((len({*m.cluster.tolist()} - {-1}) for m in matrices), default=0)
    return [f"Of more than {NAMED} clusters the largest are named."] if most > NAMED else []
