"""Rows of points with their mean and interval: one row per model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from attnpipe.figures.context import FigureContext
from attnpipe.figures.layout import sheet_width
from attnpipe.figures.style import GRID, INK, QUIET, RULE, SMALL, Look
from attnpipe.figures.text import shorten

MOST_VECTORS = 60
"""Points of a row that the SVG stores as shapes; more become pixels."""
NEAR, FAR = 0.17, 0.32
"""Distance of points from the middle of their row, in rows."""
MAX_ROWS = 40
"""Rows on one sheet; what does not fit is named in a note."""


@dataclass(frozen=True)
class Row:
    """One model: its seeds, their mean and interval, or why there is none."""

    label: str
    look: Look
    points: Sequence[float] = ()
    mean: float | None = None
    lo: float | None = None
    hi: float | None = None
    reference: float | None = None
    reference_lo: float | None = None
    reference_hi: float | None = None
    others: Sequence[tuple[str, float]] = ()
    """Marker and value of further references."""
    missing: str = ""
    values: str = field(default="")
    """Text at the right; by default the mean."""


def row_height(count: int) -> float:
    """Return the height of a row in inches: flatter the more there are."""
    return 0.3 if count <= 8 else 0.2 if count <= 20 else 0.155


def panel_height(count: int) -> float:
    """Return the height of a panel of rows, with its title and axis."""
    return 0.62 + max(count, 1) * row_height(count)


def draw_rows(ax: Axes, rows: Sequence[Row], *, labels: bool, room: float, digits: int = 3) -> None:
    """Draw the rows from top to bottom.

    Parameters
    ----------
    labels
        Whether the rows' labels stand at the left (first panel) or are shared.
    room
        Width of a label in inches.
    digits
        Decimals of the mean at the right; 0 for none.
    """
    for place, row in enumerate(rows):
        color = row.look.color
        if row.reference_lo is not None and row.reference_hi is not None:
            ends = [row.reference_lo, row.reference_hi]
            ax.plot(ends, [place, place], color=INK, lw=0.7, marker="|", markersize=4, zorder=3)
        if row.reference is not None:
            ax.plot(
                [row.reference], [place], marker="D", markersize=3.4, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=0.7, zorder=3,
            )  # fmt: skip
        for marker, value in row.others:
            ax.plot(
                [value], [place], marker=marker, markersize=3.4, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=0.7, zorder=3,
            )  # fmt: skip
        if row.mean is None:
            if row.reference is None:
                ax.annotate(
                    row.missing, (0.02, place), xycoords=ax.get_yaxis_transform(), va="center",
                    size=SMALL, color=QUIET, style="italic",
                ).set_in_layout(False)  # fmt: skip
            else:
                _at_right(ax, "?", place)
            continue
        points = np.asarray(row.points, dtype=np.float64)
        if points.size:
            ax.plot(
                points,
                place + _offsets(points.size),
                linestyle="none",
                marker=row.look.marker,
                markersize=2.2,
                markeredgewidth=0,
                color=color,
                alpha=0.55,
                rasterized=points.size > MOST_VECTORS,
            )
        if row.lo is not None and row.hi is not None:
            ax.plot([row.lo, row.hi], [place, place], color=color, lw=1.8, solid_capstyle="butt")
        ax.plot(
            [row.mean], [place], marker=row.look.marker, markersize=5, color=color,
            markeredgecolor="white", markeredgewidth=0.6, zorder=4,
        )  # fmt: skip
        text = row.values or (f"{row.mean:.{digits}f}".replace("-", "−") if digits else "")
        if text:
            _at_right(ax, text, place)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)))
    if labels:
        ax.set_yticklabels([shorten(r.label, room, SMALL) for r in rows])
    else:
        ax.tick_params(labelleft=False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=GRID, lw=0.5)
    ax.set_axisbelow(True)


def _offsets(count: int) -> np.ndarray:
    """Return heights of points above and below the interval, none of them under the mean."""
    half = np.linspace(NEAR, FAR, (count + 1) // 2)
    return np.concatenate([-half[::-1], half])[:count]


def _at_right(ax: Axes, text: str, place: int) -> None:
    ax.annotate(
        text, (1.01, place), xycoords=ax.get_yaxis_transform(), va="center", size=SMALL,
        annotation_clip=False,
    )  # fmt: skip


def reference_line(ax: Axes, x: float, color: str | None = None) -> None:
    """Draw the value that stands for "nothing to see"."""
    ax.axvline(x, color=color or RULE, lw=0.8, ls=(0, (4, 2)), zorder=1)


def span(rows: Sequence[Row], *also: float, pad: float = 0.06) -> tuple[float, float]:
    """Return limits that hold all points, intervals and reference values."""
    numbers = [*also]
    for row in rows:
        numbers += [
            *row.points,
            *(v for v in (row.mean, row.lo, row.hi, row.reference) if v is not None),
            *(v for v in (row.reference_lo, row.reference_hi) if v is not None),
            *(value for _, value in row.others),
        ]
    finite = [float(v) for v in numbers if math.isfinite(v)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    extra = pad * (high - low) or 0.05 * max(abs(high), 1.0)
    return low - extra, high + extra


def label_room(context: FigureContext) -> float:
    """Return the width of the column of labels in inches."""
    return min(1.45, 0.27 * sheet_width(context))


def title_room(context: FigureContext, panels: int) -> float:
    """Return the width for the title of one of several panels of rows side by side."""
    return (sheet_width(context) - label_room(context)) / panels - 0.12


def key(
    label: str,
    *,
    marker: str = "o",
    line: bool = False,
    thin: bool = False,
    hollow: bool = False,
    size: float = 4.0,
) -> Line2D:
    """Return a legend entry in neutral grey."""
    return Line2D(
        [], [], color=QUIET, marker=marker, lw=1.8 if line else 0.7 * thin, label=label,
        markersize=size, markerfacecolor="none" if hollow else QUIET, markeredgecolor=QUIET,
    )  # fmt: skip


def rule_key(label: str, color: str | None = None) -> Line2D:
    """Return the legend entry of `reference_line`, in the colour that was asked for, if any."""
    return Line2D([], [], color=color or RULE, lw=0.8, ls=(0, (4, 2)), label=label)
