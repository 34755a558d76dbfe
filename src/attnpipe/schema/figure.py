"""Which figures are drawn, and in which style."""

from typing import Annotated, Literal

from pydantic import Field

from attnpipe.schema.base import Name, Section

Sequential = Literal["cividis", "viridis", "plasma", "inferno", "magma", "Blues", "Greys"]
Diverging = Literal["RdBu_r", "RdBu", "PuOr_r", "PuOr", "BrBG_r", "BrBG", "PRGn_r", "PRGn"]
"""Colour maps that stay readable without colour vision."""

Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class StyleSpec(Section):
    """What all figures share."""

    width_px: Annotated[int, Field(ge=400, le=4000)] = 900
    """Width of the PNG."""
    dpi: Annotated[int, Field(ge=50, le=600)] = 150
    """Pixels per inch: larger means larger text."""
    palette: Annotated[list[Color], Field(min_length=3)] = [
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000",
    ]  # fmt: skip
    """Colours of the models, those with attention first, each in the order of the config; repeated with other markers (Okabe and Ito's colour-blind safe set)."""
    sequential: Sequential = "cividis"
    """Matplotlib colour map of heatmaps."""
    diverging: Diverging = "RdBu_r"
    """Matplotlib colour map around zero."""


class FigureOptions(Section):
    """Options of one figure; null takes the style's value."""

    color: Color | None = None
    """Colour of references and single-series elements."""
    colormap: Sequential | Diverging | None = None
    """Matplotlib colour map."""


class FigureSpec(Section):
    """The figures of a study."""

    style: StyleSpec = StyleSpec()
    """Shared style."""
    representative_seed: int | None = None
    """Seed shown where only one can be; null: the smallest."""
    show: dict[Name, FigureOptions]
    """Figure name → its options."""
