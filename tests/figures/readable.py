"""Whether everything written on a figure can be read: nothing overlaps, nothing is cut."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from attnpipe.figures.save import save_png
from attnpipe.schema.figure import StyleSpec


def texts(figure: Figure, style: StyleSpec) -> list[tuple[str, Bbox]]:
    """Every text that the renderer puts on the sheet, with its box in pixels."""
    with recorded() as found:
        save_png(figure, style)
    return list(found)


@contextmanager
def recorded() -> Iterator[list[tuple[str, Bbox]]]:
    found: list[tuple[str, Bbox]] = []
    original = RendererAgg.draw_text
    seen: set[Text] = set()

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if mtext is not None and s.strip() and mtext not in seen:
            seen.add(mtext)  # a text of several lines is drawn line by line
            found.append((mtext.get_text(), mtext.get_window_extent(self)))
        return original(self, gc, x, y, s, prop, angle, ismath, mtext)

    RendererAgg.draw_text = draw_text
    try:
        yield found
    finally:
        RendererAgg.draw_text = original


def overlap(a: Bbox, b: Bbox, slack: float = 1.0) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


def unnamed_axes(figure: Figure) -> list[str]:
    """Axes of a drawn figure whose numbers are shown without a word of what they count.

    A word is the label of the axis, or of a panel in the same column (x) or row (y), one for the
    whole sheet, or, of an axis x, the panel's title. Ticks that are words themselves (models,
    tokens) need none.
    """
    shared = {text.get_rotation() for text in figure.texts if _is_label(text)}
    columns = {_extent(ax, 0) for ax in figure.axes if ax.get_xlabel()}
    rows = {_extent(ax, 1) for ax in figure.axes if ax.get_ylabel()}
    missing = []
    for place, ax in enumerate(figure.axes):
        named = 0.0 in shared or ax.get_title("left") or _extent(ax, 0) in columns
        if _numbers(ax.get_xticklabels()) and ax.axison and not named:
            missing.append(f"x of panel {place}")
        named = 90.0 in shared or _extent(ax, 1) in rows
        if _numbers(ax.get_yticklabels()) and ax.axison and not named:
            missing.append(f"y of panel {place}")
    return missing


def _extent(ax: Axes, axis: int) -> tuple[float, ...]:
    """Where a panel begins and ends, as a share of the sheet's width (0) or height (1)."""
    return tuple(round(float(edge[axis]), 3) for edge in ax.get_position().get_points())


def _is_label(text: Text) -> bool:
    """Whether a text of the sheet stands in the middle of a side, as titles and notes do not."""
    return text.get_ha() == "center" or text.get_rotation() == 90.0


def _numbers(labels: list[Text]) -> bool:
    """Whether the visible ticks are numbers, and no words."""
    shown = [label.get_text().split("\n")[0] for label in labels if label.get_visible()]
    said = [text.strip() for text in shown if text.strip()]
    return bool(said) and all(re.fullmatch(r"[−-]?[0-9.,]+ ?%?", text) for text in said)


def assert_readable(figure: Figure, style: StyleSpec) -> str:
    """Return all that is written, once it is known that it can be read."""
    found = texts(figure, style)
    width, height = figure.canvas.get_width_height()
    assert width == style.width_px
    outside = [t for t, b in found if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height]
    assert outside == []
    clashes = [(s, t) for (s, a), (t, b) in combinations(found, 2) if overlap(a, b)]
    assert clashes == []
    return " ".join(t.replace("\n", " ") for t, _ in found)
