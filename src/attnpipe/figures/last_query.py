"""The last query's row: what document 0 shows of models that have a row for every query."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from attnpipe.figures.style import QUIET

LAST_QUERY = "profile_published"
DASH = (0, (2, 1))


def last_query_key() -> Line2D:
    """Return the legend entry of `draw_last_query`."""
    return Line2D([], [], color=QUIET, lw=1.2, ls=DASH, label="mean, last query's row alone")


def draw_last_query(ax: Axes, mean: pl.DataFrame, color: str) -> None:
    """Draw the `mean` weight of each `target` key; nothing where there is none."""
    mean = mean.sort("target")
    ax.plot(mean["target"], mean["mean"], color=color, lw=1.2, ls=DASH)
