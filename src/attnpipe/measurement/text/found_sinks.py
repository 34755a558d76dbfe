"""Sinks that the weights themselves show, text by text and layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

FOUND_SINK = "data_sink_mass"
"""Metric whose targets are these sinks; capture tells them by `metrics.tokens.data_sinks`."""

Places = Int64[np.ndarray, "sink 2"]


@dataclass(frozen=True)
class FoundSinks:
    """Which keys the weights show to be sinks.

    Attributes
    ----------
    places
        Checkpoint and item → layer and position of each; texts without any are left out.
    """

    places: Mapping[tuple[str, int], Places]

    @classmethod
    def of(cls, metrics: pl.LazyFrame) -> "FoundSinks":
        """Return those that `tables.TEXT_METRICS` of a run names."""
        rows = metrics.filter(pl.col("metric") == FOUND_SINK)
        known = rows.select("checkpoint", "item", "layer", "target").unique().collect()
        texts = known.sort("layer", "target").partition_by("checkpoint", "item", as_dict=True)
        return cls(
            {
                (str(checkpoint), int(item)): own.select("layer", "target").to_numpy()
                for (checkpoint, item), own in texts.items()
            }
        )

    def with_declared(
        self, checkpoint: str, item: int, declared: Bool[np.ndarray, " key"], layers: int
    ) -> Bool[np.ndarray, "layer key"]:
        """Return the sinks of every layer of a text: the declared ones and those found in it.

        Of the keys that `declared` has, the first of the text; later ones are passed over.
        """
        sinks = np.tile(declared, (layers, 1))
        for layer, place in self.places.get((checkpoint, item), ()):
            sinks[layer, place : place + 1] = True
        return sinks
