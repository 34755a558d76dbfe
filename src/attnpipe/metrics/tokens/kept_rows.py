"""Some rows of every text in full, and from them the distances between all heads of a model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.metrics.reduce import divide
from attnpipe.metrics.row_fold import heads
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.all_pairs import all_pairs
from attnpipe.metrics.tokens.fold import TokenFold, place
from attnpipe.metrics.tokens.head_distances import spaced
from attnpipe.metrics.tokens.select import part
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

ROWS = 32
"""Rows kept of a text: evenly spaced, the last included."""


class KeptRows(TokenFold):
    """Evenly spaced rows of every text in full, counted from the last.

    Distances between layers need the same rows of both at once. Memory is 8 bytes per
    head, sample, kept row and key.

    Parameters
    ----------
    options, texts
        As for every fold of tokens.
    rows
        Most rows kept of a text.
    """

    axes = ("head", "sample", "slot", "key")
    sums: Mapping[str, int] = {"weights": 4, "valid": 3}
    settings = ("rows",)

    def __init__(self, options: MetricsSpec, texts: Texts, rows: int = ROWS) -> None:
        super().__init__(options, texts)
        self.rows = rows

    def add(self, rows: Rows) -> None:
        """Take in checked rows whose positions are token indices."""
        length = len(self.texts[int(rows.samples[0])].ids)
        chosen = part(rows, queries=spaced(rows.query_positions, length, self.rows))
        self.tally.add(
            (
                heads(rows),
                rows.samples,
                (length - 1 - chosen.query_positions) // self._step(length),
                chosen.key_positions,
            ),
            weights=to_numpy(chosen.weights),
            valid=to_numpy(chosen.xp.astype(chosen.valid, chosen.xp.float64)),
        )

    @property
    def samples(self) -> Int[np.ndarray, " sample"]:
        """Samples seen, ascending."""
        return self.tally.labels("sample")

    def of(
        self, sample: int
    ) -> tuple[Float[np.ndarray, "head slot token"], Bool[np.ndarray, "head slot"]]:
        """Return one sample's kept rows over all its tokens, the last row first.

        Beside them, which are valid.
        """
        own, length = place(self.tally, sample), len(self.texts[sample].ids)
        slots, keys = self.tally.labels("slot"), self.tally.labels("key")
        shape = (len(self.tally["weights"]), -(-length // self._step(length)), length)
        rows, columns = slots < shape[1], keys < length  # other texts may have more
        weights, valid = np.zeros(shape), np.zeros(shape[:2], bool)
        found = self.tally["weights"][:, own][:, rows][..., columns]
        weights[:, slots[rows, None], keys[columns]] = found
        valid[:, slots[rows]] = self.tally["valid"][:, own][:, rows] > 0
        return weights, valid

    def _step(self, length: int) -> int:
        return -(-length // self.rows)


@dataclass(frozen=True)
class ModelDistances:
    """Distances between all heads of a model on the rows of one text.

    Attributes
    ----------
    layer, head
        Of each row and column, by layer and then head.
    distance
        Mean √(JSD/ln 2) over the rows valid in both heads, in [0, 1]; NaN without any.
    rows
        How many these are.
    """

    layer: Int[np.ndarray, " unit"]
    head: Int[np.ndarray, " unit"]
    distance: Float[np.ndarray, "unit unit"]
    rows: Float[np.ndarray, "unit unit"]


def model_distances(kept: Mapping[int, KeptRows], sample: int) -> ModelDistances:
    """Return the distances between the heads of several layers.

    Parameters
    ----------
    kept
        Layer → its kept rows, of the same texts with the same number of rows.
    sample
        Which text.
    """
    layers = sorted(kept)
    found = [kept[layer].of(sample) for layer in layers]
    total, rows = all_pairs(
        np.concatenate([weights for weights, _ in found]),
        np.concatenate([valid for _, valid in found]),
    )
    per_layer = [len(weights) for weights, _ in found]
    return ModelDistances(
        layer=np.repeat(layers, per_layer),
        head=np.concatenate([np.arange(n) for n in per_layer]),
        distance=divide(total, rows),
        rows=rows,
    )
