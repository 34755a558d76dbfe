"""What is kept of the weights themselves: the last token's row, and a few whole maps."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from jaxtyping import Float32

from attnpipe.attention.adapter.scores import Scores, row_blocks
from attnpipe.core.block import Block

LEAST = 2.0**-149
"""What the weight of a visible key is at least: the smallest number of float32."""

_ROWS = 128  # of a text that are held at a time


class WeightStore:
    """Keeps the last token's row of every text, and all rows of some.

    A weight is 0 where a row does not see the key, and nowhere else: one that vanishes in
    float32 is `LEAST`, so that later stages know what was visible.

    Parameters
    ----------
    lengths
        Item → its number of tokens.
    whole
        Items of which all rows are kept.
    """

    def __init__(self, lengths: Mapping[int, int], whole: Collection[int]) -> None:
        self._lengths, self._whole = lengths, frozenset(whole)
        self._last: dict[tuple[int, int], np.ndarray] = {}
        self._rows: dict[tuple[int, int], list[np.ndarray]] = {}

    def observe(self, layer: int, block: Block) -> None:
        """Take in some rows of a layer; the rows of a text come in order."""
        for place, item in enumerate(block.samples.tolist()):
            length = self._lengths[item]
            rows = block.query_positions < length
            weights = _seen(block, place)[:, rows, :length]
            if item in self._whole:
                self._rows.setdefault((item, layer), []).append(_array(weights))
            if int(block.query_positions[-1]) >= length - 1:
                self._last[item, layer] = _array(weights[:, -1])

    def attend(self, layer: int, scores: Scores) -> None:
        """Take in those rows of a layer that are kept; no others are computed.

        The texts of a batch are of one length, without padding.
        """
        queries = scores.q.shape[2]
        whole = np.isin(scores.samples.numpy(), list(self._whole))
        for kept, first in ((whole, 0), (~whole, queries - 1)):
            if kept.any():
                own = scores.of_samples(torch.from_numpy(np.flatnonzero(kept)))
                for rows in row_blocks(queries - first, _ROWS):
                    self.observe(layer, own.block(slice(rows.start + first, rows.stop + first)))

    def last_of(self, item: int, layer: int) -> Float32[np.ndarray, "head key"]:
        """Return the last token's row of a text in one layer."""
        return self._last[item, layer]

    def last(self, item: int) -> Float32[np.ndarray, "layer head key"]:
        """Return the last token's row of a text."""
        layers = sorted(layer for i, layer in self._last if i == item)
        return np.stack([self._last[item, layer] for layer in layers])

    def full(self, item: int) -> Float32[np.ndarray, "layer head query key"]:
        """Return all rows of a text."""
        layers = sorted(layer for i, layer in self._rows if i == item)
        return np.stack([np.concatenate(self._rows[item, layer], axis=1) for layer in layers])


def _seen(block: Block, place: int) -> torch.Tensor:
    """Return the weights of a sample, 0 for keys that a row does not see and for no others."""
    support = block.support[place if len(block.support) > 1 else 0]
    return torch.where(support & (block.weights[:, place] == 0), LEAST, block.weights[:, place])


def _array(weights: torch.Tensor) -> np.ndarray:
    array: np.ndarray = weights.to(device="cpu", dtype=torch.float32).numpy().copy()
    return array
