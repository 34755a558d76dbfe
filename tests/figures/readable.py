"""Whether everything written on a figure can be read: nothing overlaps, nothing is cut."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

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
