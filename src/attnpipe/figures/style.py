"""The one look of all figures: text sizes, lines, colours and markers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import matplotlib
import polars as pl
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from attnpipe.figures.context import FigureContext
from attnpipe.schema.figure import FigureOptions

TEXT, SMALL, TITLE = 7.0, 6.0, 9.0
"""Sizes in points: labels, annotations and notes, titles."""
INK, QUIET, RULE = "#222222", "#5f5f5f", "#8c8c8c"
"""Colours of text, of secondary text, of reference lines."""
GRID, FAINT, PANEL, BAND = "#ececec", "#c4c4c4", "#f4f4f4", "#e4e4e4"
"""Colours of grid lines, of mere context, of a panel without data, of the band of no effect."""
RANGE_BAND = "#e4eef4"
"""Colour of the band of accuracies that attention can be related to."""
SINK, SINKS, SOME_SINK = "#6e6e6e", ("#f4f4f4", "#9c9c9c"), "#bcbcbc"
"""Colours of a sink's share, of sinks from no weight to all of it, and of one in a legend."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
DASHES = ("-", "--", "-.", ":")

RC: Mapping[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.parse_math": False,  # labels are the user's: a dollar sign is a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9a9a9a",
    "axes.linewidth": 0.6,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlepad": 4.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.0,
    "svg.fonttype": "path",  # looks the same everywhere, and no text of the user becomes markup
    "svg.hashsalt": "attnpipe",
    "path.simplify": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def style_active() -> Iterator[None]:
    """Draw and save in this style, whatever matplotlibrc the machine has."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


Draw = Callable[[Mapping[str, pl.DataFrame], FigureContext, FigureOptions], Figure]


def styled(draw: Draw) -> Draw:
    """Make `draw` use this style whoever calls it."""

    @wraps(draw)
    def wrapped(
        tables: Mapping[str, pl.DataFrame], context: FigureContext, options: FigureOptions
    ) -> Figure:
        with style_active():
            return draw(tables, context, options)

    return wrapped


@dataclass(frozen=True)
class Look:
    """How one model is drawn everywhere."""

    color: str
    marker: str
    dash: str


def look(context: FigureContext, model: str) -> Look:
    """Return the model's colour, marker and dash: its place in the config decides.

    Models with attention come first, as most figures show only them. Where the palette is
    used up, colours repeat with another marker and dash.
    """
    others = [m for m in context.labels if m not in context.attention_models]
    place = [*context.attention_models, *others].index(model)
    palette = context.style.palette
    turn = place // len(palette)
    return Look(
        palette[place % len(palette)],
        MARKERS[(place + turn) % len(MARKERS)],
        DASHES[turn % len(DASHES)],
    )


def colormap(chosen: str | None, default: str) -> Colormap:
    """Return a colour map by name; missing values are drawn in light grey."""
    return matplotlib.colormaps[chosen or default].with_extremes(bad="#e3e3e3")


def ink_on(color: Sequence[float]) -> str:
    """Return black or white, whichever reads better on `color` (WCAG relative luminance)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
