"""Masses that add up to one: sinks, parts of the prompt, the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int64

from attnpipe.figures.texts.parts import PARTS, part_of
from attnpipe.figures.texts.tokens import TokenLine


@dataclass(frozen=True)
class Stack:
    """Mean masses of one variant by layer.

    Attributes
    ----------
    layers
        Layers with a value.
    sink
        Mass on sinks, or None where it cannot be told from the parts'.
    masses
        Part → its mass, without that of the sinks.
    """

    layers: Int64[np.ndarray, " layer"]
    sink: Float[np.ndarray, " layer"] | None
    masses: Mapping[str, Float[np.ndarray, " layer"]]


def stack_of(raw: pl.DataFrame, sinks: pl.DataFrame, tokens: TokenLine | None) -> Stack:
    """Return the masses of a variant, each token counted once.

    A first token that is no special one is a sink and belongs to a part, too. Means are
    linear: its mass is taken out of that part's, exactly, where it is the text's only sink.

    Parameters
    ----------
    raw
        `mean` mass by `span` and `layer`.
    sinks
        `mean` mass on sinks by `layer`.
    tokens
        A text of the variant; None if there is none.
    """
    layers = raw["layer"].unique().sort().to_numpy()
    masses = {
        part: np.nan_to_num(_along(own, layers))
        for part in PARTS
        if (own := raw.filter(pl.col("span") == part)).height
    }
    sink = _along(sinks, layers)
    if tokens is None or np.isnan(sink).any():
        return Stack(layers, None, masses)
    shared = [p for span in tokens.first_spans if (p := part_of(span)) in masses]
    if not shared:
        return Stack(layers, sink, masses)
    if any(tokens.special):
        return Stack(layers, None, masses)
    rest = np.maximum(masses[shared[0]] - sink, 0.0)
    return Stack(layers, sink, masses | {shared[0]: rest})


def _along(frame: pl.DataFrame, layers: np.ndarray) -> Float[np.ndarray, " layer"]:
    """Return `mean` at each layer, NaN where there is none."""
    found = dict(frame.select("layer", "mean").iter_rows())
    return np.array([found.get(layer, np.nan) for layer in layers.tolist()], dtype=np.float64)
