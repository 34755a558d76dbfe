"""One heat map between tokens, with its labels, and sinks apart from the colour scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.image import AxesImage

from attnpipe.figures.style import INK, QUIET, SINKS, SMALL
from attnpipe.figures.text import shorten
from attnpipe.figures.texts.tokens import TokenLine

NARROW = 24
"""Most tokens of a map on half a sheet."""
LABEL, LEAST = 0.62, 4.2
"""Most inches of a token's label; smallest size of its letters in points."""
DECADES = 1e-4
"""Smallest colour on a logarithmic scale, over the largest."""
LEAST_TOP = 0.01
"""Least end of the colour scale: nothing beside the sinks shall not look like something."""
SINK_MAP = LinearSegmentedColormap.from_list("sinks", SINKS)


@dataclass(frozen=True)
class TokenMap:
    """Weights between the tokens that are shown.

    Attributes
    ----------
    weights
        ``[query, key]``; NaN where a query does not see a key.
    labels, sinks
        Of each token; sinks are special tokens and the text's first one.
    first
        Position of the first token shown, but for sinks that stand before it.
    parked
        How many sinks are shown that stand before it.
    of
        Tokens of the whole text.
    """

    weights: Float[np.ndarray, "token token"]
    labels: tuple[str, ...]
    sinks: tuple[bool, ...]
    first: int
    parked: int
    of: int

    @property
    def broad(self) -> bool:
        """Whether there are too many tokens for half a sheet."""
        return len(self.labels) > NARROW

    @property
    def extent(self) -> str:
        """Say which tokens are shown."""
        count = len(self.labels) - self.parked
        if len(self.labels) == self.of:
            return f"{self.of} token{'s' if self.of > 1 else ''}"
        sinks = f"{'sink' if self.parked == 1 else f'{self.parked} sinks'} and " * (self.parked > 0)
        return f"{sinks}{'first' if self.first == 0 else 'last'} {count} of {self.of} tokens"


def token_map(cells: pl.DataFrame, tokens: TokenLine | None, wanted: int) -> TokenMap:
    """Return the first tokens of a map, or the last ones if `wanted` is negative.

    Sinks before the last ones are kept: what stands beside them is little without them.

    Parameters
    ----------
    cells
        `query`, `key`, `value`; a weight of 0 counts as not seen.
    tokens
        The text's tokens; without them positions are the labels.
    """
    query, key = cells["query"].to_numpy(), cells["key"].to_numpy()
    size = int(max(query.max(), key.max())) + 1
    weights = np.full((size, size), np.nan)
    weights[query, key] = cells["value"].to_numpy()
    weights[weights == 0] = np.nan
    labels, sinks = tuple(str(k) for k in range(size)), tuple(k == 0 for k in range(size))
    if tokens is not None and len(tokens.labels) == size:
        labels, sinks = tokens.labels, tokens.sinks
    start = 0 if wanted > 0 else max(0, size + wanted)
    parked = [k for k in range(start) if sinks[k]]
    kept = [*parked, *range(start, min(wanted, size) if wanted > 0 else size)]
    return TokenMap(
        weights[np.ix_(kept, kept)], tuple(labels[k] for k in kept),
        tuple(sinks[k] for k in kept), start, len(parked), size,
    )  # fmt: skip


def common_scale(maps: Sequence[TokenMap], *, log: bool) -> Normalize:
    """Return one colour scale for all maps, from the keys that are no sinks."""
    plain = np.concatenate([m.weights[:, ~np.array(m.sinks, bool)].ravel() for m in maps])
    plain = plain[np.isfinite(plain)]
    most = max(LEAST_TOP, float(plain.max())) if plain.size else 1.0
    if not log:
        return Normalize(0.0, most)
    least = float(plain.min()) if plain.size else 0.0
    return LogNorm(min(max(least, most * DECADES), most / 2), most, clip=True)


def draw_map(ax: Axes, one: TokenMap, colors: Colormap, norm: Normalize, side: float) -> AxesImage:
    """Draw a map that is `side` inches wide; return the image that the scale is of."""
    sinks = np.array(one.sinks, bool)
    plain, parked = one.weights.copy(), one.weights.copy()
    plain[:, sinks], parked[:, ~sinks] = np.nan, np.nan
    ax.imshow(parked, cmap=SINK_MAP, vmin=0, vmax=1, interpolation="nearest")
    clear = colors.with_extremes(bad=(1, 1, 1, 0))
    image = ax.imshow(plain, cmap=clear, norm=norm, interpolation="nearest")
    cell = side / len(sinks)
    size = min(SMALL, max(LEAST, 72 * cell / 1.25))
    step = max(1, math.ceil(1.2 * size / 72 / cell))
    places = list(range(0, len(sinks), step))
    texts = [shorten(one.labels[k], LABEL, size) for k in places]
    ax.set_xticks(places, texts, rotation=90, size=size)
    ax.set_yticks(places, texts, size=size)
    ax.tick_params(length=0, pad=1.5)
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        for place, label in zip(places, labels, strict=True):
            label.set_color(QUIET if sinks[place] else INK)
            label.set_fontstyle("italic" if sinks[place] else "normal")
    return image
