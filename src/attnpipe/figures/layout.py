"""Sheets: a title, a grid of panels, a legend and notes, none of which overlap.

Heights are counted in inches from the text itself; inside the grid, matplotlib's
constrained layout makes room for the tick labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from attnpipe.figures.context import FigureContext
from attnpipe.figures.style import PANEL, QUIET, SMALL, TEXT, TITLE
from attnpipe.figures.text import shorten, widest, wrap

MARGIN = 0.08
"""Inches between text and the edge of the sheet."""
LINE = 1.35
"""Line height in font sizes."""
PANEL_FRAME = 0.42
"""Inches beside the text of a panel."""
MAX_PANELS = 24
"""Panels on one sheet; what does not fit is named in a note."""


@dataclass(frozen=True)
class Words:
    """Everything that is written around the panels."""

    title: str
    subtitle: str = ""
    xlabel: str = ""
    ylabel: str = ""
    notes: Sequence[str] = ()


def _height(lines: int, size: float) -> float:
    return lines * size * LINE / 72


def legend_columns(entries: Sequence[str], room: float) -> int:
    """Return the most columns that fit; they are filled one after the other, as matplotlib does."""
    for columns in range(len(entries), 1, -1):
        longer = len(entries) % columns
        cuts = [len(entries) // columns + (k < longer) for k in range(columns)]
        starts = [sum(cuts[:k]) for k in range(columns)]
        texts = [widest(entries[a : a + n], TEXT) for a, n in zip(starts, cuts, strict=True)]
        if sum(texts) + columns * 4.2 * TEXT / 72 <= room:
            return columns
    return 1


def sheet_width(context: FigureContext) -> float:
    """Return the width of the sheet in inches."""
    return context.style.width_px / context.style.dpi


def columns_for(context: FigureContext, count: int, *, inches: float = 1.8, most: int = 4) -> int:
    """Return how many panels stand side by side: 1, 2, 3 or 4, each about `inches` wide."""
    fitting = max(1, min(most, int(sheet_width(context) / inches)))
    if count <= 4:
        return min(2, fitting, max(count, 1))
    return min(3 if count <= 9 else most, fitting if count <= 9 else most)


def sheet(
    context: FigureContext,
    words: Words,
    heights: Sequence[float],
    legend: Sequence[Artist] = (),
) -> Figure:
    """Return a figure with its texts; panels go into the space between.

    Parameters
    ----------
    heights
        Height of each row of panels, in inches.
    legend
        Handles, explained in one legend below all panels.
    """
    style = context.style
    wide = sheet_width(context)
    inner = wide - 2 * MARGIN
    title = wrap(words.title, inner, TITLE, lines=2, bold=True)
    subtitle = wrap(words.subtitle, inner, TEXT, lines=3)
    notes = [line for note in words.notes for line in wrap(note, inner, SMALL, lines=3)]
    entries = [shorten(str(h.get_label()), inner - 0.4, TEXT) for h in legend]
    columns = legend_columns(entries, inner)
    legend_lines = -(-len(entries) // columns)

    head = MARGIN + _height(len(title), TITLE) + _height(len(subtitle), TEXT) + 0.04
    foot_notes = _height(len(notes), SMALL) + (0.06 if notes else 0.0)
    foot_legend = _height(legend_lines, TEXT) + (0.06 if entries else 0.0)
    foot_label = _height(1, TEXT) + 0.02 if words.xlabel else 0.0
    foot = MARGIN + foot_notes + foot_legend + foot_label
    left = MARGIN / 2 + (_height(1, TEXT) if words.ylabel else 0.0)
    tall = round((head + foot + sum(heights)) * style.dpi) / style.dpi
    figure = Figure(figsize=(wide, tall), dpi=style.dpi)

    def put(x: float, y: float, text: str, **options: Any) -> None:
        figure.text(x / wide, y / tall, text, **options).set_in_layout(False)

    top = tall - MARGIN * 0.8
    for line in title:
        put(MARGIN, top, line, va="top", size=TITLE, weight="bold")
        top -= _height(1, TITLE)
    for line in subtitle:
        put(MARGIN, top, line, va="top", size=TEXT, color=QUIET)
        top -= _height(1, TEXT)
    base = MARGIN
    for line in reversed(notes):
        put(MARGIN, base, line, va="bottom", size=SMALL, color=QUIET)
        base += _height(1, SMALL)
    if entries:
        box = figure.legend(
            list(legend),
            entries,
            loc="lower left",
            bbox_to_anchor=(MARGIN / wide, (MARGIN + foot_notes) / tall),
            ncols=columns,
            labelspacing=LINE - 1.0,
            columnspacing=1.2,
        )
        box.set_in_layout(False)
    middle = (tall - head + foot) / 2
    if words.xlabel:
        y = MARGIN + foot_notes + foot_legend
        label = shorten(words.xlabel, inner, TEXT)
        put(wide / 2, y, label, va="bottom", ha="center", size=TEXT)
    if words.ylabel:
        label = shorten(words.ylabel, tall - head - foot, TEXT)
        put(MARGIN / 2, middle, label, va="center", ha="left", size=TEXT, rotation="vertical")
    engine = ConstrainedLayoutEngine(
        rect=(left / wide, foot / tall, 1 - (left + MARGIN) / wide, 1 - (head + foot) / tall),
        w_pad=0.03,
        h_pad=0.03,
        hspace=0.02,
        wspace=0.02,
    )
    figure.set_layout_engine(engine)
    return figure


def grid(
    context: FigureContext,
    words: Words,
    titles: Sequence[str],
    *,
    height: float = 1.45,
    legend: Sequence[Artist] = (),
    sharex: bool = True,
    sharey: bool = True,
    columns: int | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return a sheet of small multiples, one panel per title, and their axes.

    `columns` stand side by side; None: as many as fit.

    Only the lowest panel of a column has tick labels on a shared axis x, only the
    first column on a shared axis y.
    """
    count = len(titles)
    columns = columns or columns_for(context, count)
    rows = -(-count // columns)
    height = height if columns <= 2 else height * 0.85
    figure = sheet(context, words, [height] * rows, legend)
    spec = figure.add_gridspec(rows, columns)
    axes: list[Axes] = []
    room = sheet_width(context) / columns - PANEL_FRAME
    for place, title in enumerate(titles):
        first = axes[0] if axes else None
        ax = figure.add_subplot(
            spec[place // columns, place % columns],
            sharex=first if sharex else None,
            sharey=first if sharey else None,
        )
        ax.set_title("\n".join(wrap(title, room, TEXT, lines=2)))
        ax.tick_params(
            labelbottom=not sharex or place + columns >= count,
            labelleft=not sharey or place % columns == 0,
        )
        axes.append(ax)
    return figure, axes


def panel_room(context: FigureContext, panels: Sequence[object]) -> float:
    """Return the width for text in one of the panels of a `grid`, in inches."""
    return sheet_width(context) / columns_for(context, len(panels)) - PANEL_FRAME


def absent(ax: Axes, reason: str, room: float) -> None:
    """Turn a panel into a named gap: an empty frame that says what is missing and why.

    Parameters
    ----------
    room
        Width for the text in inches.
    """
    ax.set_facecolor(PANEL)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.text(
        0.5,
        0.5,
        "\n".join(wrap(reason, room, SMALL, lines=5)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        size=SMALL,
        color=QUIET,
        style="italic",
    ).set_in_layout(False)


def remark(ax: Axes, text: str, top: bool = False) -> None:
    """Write a few words into the lower or upper left corner of a panel."""
    height, anchor = (0.97, "top") if top else (0.03, "bottom")
    ax.text(
        0.02, height, text, transform=ax.transAxes, va=anchor, size=SMALL, color=QUIET,
        style="italic",
    ).set_in_layout(False)  # fmt: skip


def empty_sheet(context: FigureContext, words: Words, reason: str) -> Figure:
    """Return a figure that consists of one named gap."""
    words = Words(words.title, words.subtitle, notes=words.notes)
    figure = sheet(context, words, [1.2])
    ax = figure.add_subplot()
    ax.set_xticks([])
    ax.set_yticks([])
    absent(ax, reason, sheet_width(context) - 0.6)
    return figure


def shown(models: Sequence[str], most: int = MAX_PANELS) -> tuple[list[str], list[str]]:
    """Return the first `most` models and, if there are more, a note that says so."""
    if len(models) <= most:
        return list(models), []
    return list(models[:most]), [
        f"The first {most} of {len(models)} models; all values are in the tables."
    ]
