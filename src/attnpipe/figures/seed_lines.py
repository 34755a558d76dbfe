"""Thin lines of single seeds, which a bold line of their mean covers."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

MOST = 50
"""Seeds of a model that are drawn: more lines are a smear, and most of the time a figure takes."""


def drawn_note(points: pl.DataFrame) -> list[str]:
    """Say so where not all seeds of a model are drawn: `points` have a `model` and a `seed`."""
    most = points.group_by("model").agg(pl.col("seed").n_unique())["seed"].max()
    if not isinstance(most, int) or most <= MOST:
        return []
    return [f"Of up to {most} seeds of a model, the first {MOST} are drawn."]


def first_seeds(points: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the first `MOST` values of `seed`."""
    return points.filter(pl.col("seed").rank("dense") <= MOST)


def seed_lines(
    ax: Axes, points: pl.DataFrame, x: str, y: str, *, color: str, dash: object = "-"
) -> None:
    """Draw `y` over `x`, a line for each of the first `MOST` values of `seed`."""
    runs = first_seeds(points).sort("seed", x).partition_by("seed", maintain_order=True)
    fade = max(0.15, min(0.5, 3 / max(len(runs), 1)))
    lines = LineCollection(  # as of `plot`, at a tenth of the cost
        [run.select(x, y).to_numpy() for run in runs],
        colors=color,
        linewidths=0.6,
        alpha=fade,
        linestyles=dash,
        capstyle="projecting" if dash == "-" else "butt",
        joinstyle="round",
        zorder=2,
    )
    ax.add_collection(lines, autolim=True)
    ax.autoscale_view()
