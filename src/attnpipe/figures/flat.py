"""What a panel shows that looks flat on the scale it shares with the others."""

import polars as pl
from matplotlib.axes import Axes

from attnpipe.figures.layout import remark

SHARE = 0.05
"""Of the axis; below it nothing of the course can be read."""


def name_range(ax: Axes, values: pl.Series) -> None:
    """Write the range of a panel's values into it if it is too small to be seen.

    The scale stays shared, as that nothing happens here is a result; call it when the
    limits of the axis are set.
    """
    low, high = values.min(), values.max()
    if not isinstance(low, float) or not isinstance(high, float):
        return
    bottom, top = ax.get_ylim()
    if high - low < SHARE * (top - bottom):
        below = bool(low + high < bottom + top)  # then the words would lie on the line
        remark(ax, f"all between {low:.4g} and {high:.4g}", top=below)
