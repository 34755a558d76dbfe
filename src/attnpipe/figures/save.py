"""A figure as bytes: the same figure gives the same bytes.

The canvases' own writers are called instead of ``savefig``, which would draw everything
once more for a layout that is already fixed.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.transforms import Bbox

from attnpipe.figures.style import style_active
from attnpipe.schema.figure import StyleSpec


def save_png(figure: Figure, style: StyleSpec) -> bytes:
    """Return the figure as PNG, `style.width_px` wide, without clock or version."""
    buffer = BytesIO()
    with _fixed(figure, style):
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def save_svg(figure: Figure, style: StyleSpec) -> str:
    """Return the figure as SVG, without clock, version or random ids.

    Letters are outlines: the picture looks the same on every machine, and a label never
    becomes markup.
    """
    buffer = BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with _fixed(figure, style):
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)
    return buffer.getvalue().decode("utf-8")


@contextmanager
def _fixed(figure: Figure, style: StyleSpec) -> Iterator[None]:
    """Lay the figure out once, for PNG and SVG alike, and leave its resolution as it was."""
    with style_active(), warnings.catch_warnings():
        # A script without letters in the bundled font is drawn as boxes, not refused.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.set_dpi(style.dpi)
        engine = figure.get_layout_engine()
        if engine is not None and not isinstance(engine, PlaceHolderLayoutEngine):
            FigureCanvasAgg(figure)
            engine.execute(figure)
            figure.set_layout_engine("none")
            for ax in figure.axes:  # the solver's last digits differ from run to run
                ax.set_position(Bbox(np.round(ax.get_position().get_points(), 6)))
        yield
        figure.set_dpi(style.dpi)
