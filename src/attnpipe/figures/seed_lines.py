"""Thin lines of single seeds, which a bold line of their mean covers."""

import polars as pl
from matplotlib.axes import Axes

from attnpipe.figures.context import FigureContext

MOST = 50
"""Seeds of a model that are drawn: more lines are a smear, and most of the time a figure takes."""


def drawn_note(context: FigureContext) -> list[str]:
    """Say so where not all seeds are drawn."""
    if len(context.seeds) <= MOST:
        return []
    return [f"Of single seeds, the first {MOST} of {len(context.seeds)} are drawn."]


def seed_lines(
    ax: Axes, points: pl.DataFrame, x: str, y: str, *, color: str, dash: object = "-"
) -> None:
    """Draw `y` over `x`, a line for each of the first `MOST` values of `seed`."""
    runs = points.sort("seed", x).partition_by("seed", maintain_order=True)
    fade = max(0.15, min(0.5, 3 / max(len(runs), 1)))
    for run in runs[:MOST]:
        ax.plot(run[x], run[y], color=color, lw=0.6, alpha=fade, ls=dash)
