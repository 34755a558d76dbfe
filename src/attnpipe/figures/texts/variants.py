"""Variants of a prompt: their order, names and looks, the same in all figures."""

import re
from collections.abc import Iterable, Sequence

import polars as pl
from matplotlib.lines import Line2D

from attnpipe.figures.context import FigureContext
from attnpipe.figures.selection import Tables
from attnpipe.figures.style import MARKERS, Look

SHOTS = re.compile(r"(?:(.+)_)?([1-9][0-9]*)_shot")
LATE = 2**62


def shots_of(variant: str) -> tuple[str, int]:
    """Return the variant without examples, and their number: ``2_shot`` is ``plain`` with 2."""
    match = SHOTS.fullmatch(variant)
    return (match[1] or "plain", int(match[2])) if match else (variant, 0)


def variant_name(variant: str) -> str:
    """Return how figures call a variant."""
    base, shots = shots_of(variant)
    if not shots:
        return base.replace("_", " ")
    count = f"{shots} shot{'s' if shots > 1 else ''}"
    return count if base == "plain" else f"{base.replace('_', ' ')}, {count}"


def in_order(tables: Tables, names: Iterable[str]) -> list[str]:
    """Return `plain`, the other variants in the order of the texts, then those with examples."""
    first = tables["answers"].group_by("variant").agg(pl.col("item").min())
    place = {v: LATE if i is None else i for v, i in first.iter_rows()}

    def rank(name: str) -> tuple[bool, bool, int, int, str]:
        base, shots = shots_of(name)
        return shots > 0, base != "plain", place.get(name, LATE), shots, base

    return sorted(set(names), key=rank)


def variants_in(tables: Tables, frame: pl.DataFrame) -> list[str]:
    """Return the variants of a frame in their order."""
    return in_order(tables, frame["variant"].drop_nulls())


class Looks:
    """How variants are drawn: every figure of a study gives each the same colour and marker."""

    def __init__(self, tables: Tables, context: FigureContext, shown: Sequence[str]) -> None:
        known = tables["answers"]["variant"].drop_nulls().to_list()
        self._order = in_order(tables, [*known, *shown])
        self._palette = context.style.palette

    def __getitem__(self, variant: str) -> Look:
        place = self._order.index(variant)
        turn = place // len(self._palette)
        return Look(
            self._palette[place % len(self._palette)],
            MARKERS[(place + turn) % len(MARKERS)],
            "-" if turn % 2 == 0 else "--",
        )

    def key(self, variant: str, *, line: bool = True) -> Line2D:
        """Return the variant's entry in a legend: of a curve, or of points."""
        own = self[variant]
        return Line2D(
            [], [], color=own.color, marker=own.marker, ls=own.dash if line else "",
            markersize=3 if line else 4.6, label=variant_name(variant),
        )  # fmt: skip


def prompts_in(tables: Tables, frame: pl.DataFrame, models: Sequence[str]) -> list[tuple[str, str]]:
    """Return model and variant of all that a frame speaks of, in their order."""
    return [(m, v) for m in models for v in variants_in(tables, frame.filter(pl.col("model") == m))]
