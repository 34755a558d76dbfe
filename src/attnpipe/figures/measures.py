"""Names of what figures show twice: of rows, and as published."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from attnpipe.figures.context import FigureContext
from attnpipe.figures.selection import likeness
from attnpipe.tables.study import COMPARED_SEEDS

ROWS, PROFILE = "entropy_normalized", "profile_entropy_normalized"
PUBLISHED, CENTRED, PEARSON = "profile_cosine", "centred_cosine", "profile_pearson"


def seeds_note(context: FigureContext) -> list[str]:
    """Say so where not all seeds are compared with each other."""
    if len(context.seeds) <= COMPARED_SEEDS:
        return []
    return [f"The first {COMPARED_SEEDS} of {len(context.seeds)} seeds are compared."]


class Likeness:
    """How alike seeds are, looked up by model and measure."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        measures = [PUBLISHED, CENTRED, PEARSON]
        self._pairs = _by_name(likeness(tables, "pair", measures))
        self._means = _by_name(likeness(tables, "model", measures))
        self._before = _by_name(likeness(tables, "model", measures, "untrained"))

    def measures(self, model: str) -> tuple[str, str]:
        """Return the published measure and the centred one: of profiles where rows are unknown."""
        rows_unknown = (model, CENTRED) not in self._pairs and (model, PEARSON) in self._pairs
        return PUBLISHED, PEARSON if rows_unknown else CENTRED

    def pairs(self, model: str, measure: str) -> list[tuple[int, int, float]]:
        """Return both seeds and the value of every pair."""
        frame = self._pairs.get((model, measure))
        return [] if frame is None else frame.select("seed_a", "seed_b", "value").rows()

    def mean(self, model: str, measure: str) -> dict[str, Any] | None:
        """Return `value`, `lo95` and `hi95` over pairs, None if there are none."""
        frame = self._means.get((model, measure))
        return None if frame is None else frame.row(0, named=True)

    def before(self, model: str, measure: str) -> dict[str, Any] | None:
        """Return `value`, `lo95` and `hi95` over pairs of untrained models."""
        frame = self._before.get((model, measure))
        return None if frame is None else frame.row(0, named=True)


def _by_name(frame: pl.DataFrame) -> dict[tuple[Any, ...], pl.DataFrame]:
    return frame.partition_by("model", "measure", as_dict=True, maintain_order=True)
