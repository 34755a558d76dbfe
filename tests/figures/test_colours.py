"""The default colours can be told apart, also by eyes that lack one kind of cones."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from attnpipe.figures import style
from attnpipe.schema.figure import StyleSpec

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", severity 1, on linear RGB.
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]
PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
TO_XYZ = np.array(  # IEC 61966-2-1, white D65
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
LEAST = 9.0
"""Distance in CIELAB; 2.3 is just noticeable."""


def lab(colours: list[str], seen_through: ArrayLike) -> NDArray[np.float64]:
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(seen_through).T, 0, 1)
    xyz = seen @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def nearest(colours: list[str], seen_through: ArrayLike) -> float:
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab(colours, seen_through), 2))


@pytest.mark.parametrize(
    "eyes", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["usual", "deuteranopia", "protanopia"]
)
def test_colours_of_the_default_palette_differ(eyes: ArrayLike) -> None:
    assert nearest(StyleSpec().palette, eyes) > LEAST


def test_the_simulation_tells_safe_colours_from_others() -> None:
    red_and_green = ["#D62728", "#2CA02C"]  # of matplotlib's own palette
    assert nearest(red_and_green, np.eye(3)) > 10 * LEAST
    assert nearest(red_and_green, DEUTERANOPIA) < LEAST


def test_colours_stand_in_the_one_style_file_alone() -> None:
    folder = Path(style.__file__).parent
    elsewhere = [
        f"{path.relative_to(folder)}: {found}"
        for path in sorted(folder.rglob("*.py"))
        if path.name != "style.py"
        for found in re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text())
    ]
    assert elsewhere == []
    assert re.search(r"#[0-9a-fA-F]{6}\b", Path(style.__file__).read_text())
