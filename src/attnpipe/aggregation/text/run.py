"""What aggregation takes of a run on texts, and what it makes of it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import polars as pl
from jaxtyping import Float32
from numpy import ndarray


@runtime_checkable
class StoredAttention(Protocol):
    """Weights that were stored, each array read when it is asked for."""

    def last(self, checkpoint: str, item: int) -> Float32[ndarray, "layer head key"]:
        """Return the last token's row of any text."""

    def full(self, checkpoint: str, item: int) -> Float32[ndarray, "layer head query key"]:
        """Return all rows of a text of the representative question within the dense limit."""


@dataclass(frozen=True)
class TextRun:
    """The run of one model on all its texts.

    Attributes
    ----------
    tokens, answers
        `tables.TOKENS` and `tables.ANSWERS`.
    metrics, segments
        `tables.TEXT_METRICS` and `tables.SEGMENTS`: tens of millions of rows for a few
        hundred texts, therefore lazy; read layer by layer, cheapest if sorted by layer.
    attention
        The stored weights.
    row_segments
        `tables.SEGMENTS` over all rows, means over heads, where they were captured.
    replaced
        `tables.TEXT_INTERVENTIONS`, where attention was replaced.
    """

    tokens: pl.DataFrame
    answers: pl.DataFrame
    metrics: pl.LazyFrame
    segments: pl.LazyFrame
    attention: StoredAttention
    row_segments: pl.LazyFrame | None = None
    replaced: pl.DataFrame | None = None


@dataclass(frozen=True)
class TextModelTables:
    """Tables of one model, each with the columns of `tables.TEXT_TABLES` of that name."""

    inventory: pl.DataFrame
    text_summary: pl.DataFrame
    segment_summary: pl.DataFrame
    text_contrasts: pl.DataFrame
    text_effects: pl.DataFrame
    accuracy: pl.DataFrame
    heads: pl.DataFrame
    sinks: pl.DataFrame
    head_distances: pl.DataFrame
    maps: pl.DataFrame
    tokens: pl.DataFrame
    answers: pl.DataFrame
