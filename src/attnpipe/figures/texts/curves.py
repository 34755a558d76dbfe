"""Curves over the layers of a model, with the intervals of their means."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attnpipe.figures.style import GRID, Look

LAYERS = "layer (0 = first)"


def draw_curve(ax: Axes, frame: pl.DataFrame, look: Look, *, width: float = 1.1) -> None:
    """Draw `mean` over `layer`, and the band from `lo95` to `hi95` where it is known."""
    frame = frame.sort("layer")
    layers = frame["layer"].to_numpy()
    band = frame.filter(pl.col("lo95").is_not_null() & pl.col("hi95").is_not_null())
    if band.height:
        ax.fill_between(
            band["layer"].to_numpy(), band["lo95"].to_numpy(), band["hi95"].to_numpy(),
            color=look.color, alpha=0.16, lw=0,
        )  # fmt: skip
    ax.plot(
        layers, frame["mean"].to_numpy(), color=look.color, ls=look.dash, lw=width,
        marker=look.marker, markersize=2.6, markeredgewidth=0, markevery=max(1, len(layers) // 8),
    )  # fmt: skip


def layer_axis(ax: Axes, layers: int, *, ticks: int = 7) -> None:
    """Set the axis of layers."""
    ax.set_xlim(-0.5, max(layers, 1) - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))
    ax.grid(axis="y", color=GRID, lw=0.5)
    ax.set_axisbelow(True)


def layers_in(frame: pl.DataFrame, column: str = "layer") -> int:
    """Return how many layers a frame speaks of."""
    last = frame[column].max()
    return last + 1 if isinstance(last, int) else 0
