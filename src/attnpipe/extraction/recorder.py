"""Observers of extraction: one keeps weights, one only counts them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from attnpipe.core.block import Block
from attnpipe.core.fold import State
from attnpipe.core.record import LayerRecord


class Elements:
    """Counts the weights of each layer."""

    def __init__(self) -> None:
        self.per_layer: dict[int, int] = defaultdict(int)

    def observe(self, layer: int, block: Block) -> None:
        """Add a block's elements."""
        self.per_layer[layer] += block.weights.numel()


@dataclass(frozen=True)
class _Piece:
    weights: Float32[np.ndarray, "head sample query key"]
    support: Bool[np.ndarray, "#sample #query key"]
    samples: Int64[np.ndarray, " sample"]
    queries: Int64[np.ndarray, " query"]
    keys: Int64[np.ndarray, " key"]


class Recorder:
    """Keeps every row of some samples, however they were split into blocks.

    Parameters
    ----------
    samples
        Probe samples to keep, ascending.
    """

    def __init__(self, samples: Int64[np.ndarray, " kept"]) -> None:
        self._samples = samples
        self._pieces: dict[int, list[_Piece]] = defaultdict(list)

    def observe(self, layer: int, block: Block) -> None:
        """Copy the rows of the samples that are kept."""
        samples = block.samples.numpy()
        wanted = np.isin(samples, self._samples)
        if not wanted.any():
            return
        support = block.support.numpy()
        piece = _Piece(
            weights=block.weights.numpy()[:, wanted].astype(np.float32),
            support=support[wanted] if len(support) > 1 else support.copy(),
            samples=samples[wanted],
            queries=block.query_positions.numpy().copy(),
            keys=block.key_positions.numpy().copy(),
        )
        self._pieces[layer].append(piece)

    def records(
        self, checkpoint: str, states: Mapping[int, Mapping[str, State]]
    ) -> list[LayerRecord]:
        """Return what was kept, layer by layer, and forget it.

        Parameters
        ----------
        checkpoint
            Its name.
        states
            Layer → fold name → state over all samples; empty if all were kept.
        """
        pieces, self._pieces = self._pieces, defaultdict(list)
        return [
            self._assemble(checkpoint, layer, pieces[layer], states.get(layer, {}))
            for layer in sorted(pieces)
        ]

    def _assemble(
        self, checkpoint: str, layer: int, pieces: list[_Piece], states: Mapping[str, State]
    ) -> LayerRecord:
        keys = pieces[0].keys
        if any(not np.array_equal(p.keys, keys) for p in pieces):
            raise ValueError(f"the samples of layer {layer} do not share their key positions")
        queries = np.unique(np.concatenate([p.queries for p in pieces]))
        shape = (len(self._samples), len(queries), len(keys))
        weights = np.zeros((pieces[0].weights.shape[0], *shape), dtype=np.float32)
        support = np.zeros(shape, dtype=bool)
        for p in pieces:
            rows = np.searchsorted(self._samples, p.samples)[:, None]
            columns = np.searchsorted(queries, p.queries)[None, :]
            weights[:, rows, columns] = p.weights
            support[rows, columns] = p.support
        return LayerRecord(
            checkpoint=checkpoint,
            layer=layer,
            weights=weights,
            support=_narrow(support),
            query_positions=queries,
            key_positions=keys,
            samples=self._samples,
            states=states,
        )


def _narrow(
    support: Bool[np.ndarray, "sample query key"],
) -> Bool[np.ndarray, "#sample #query key"]:
    """Return the support with axes of size 1 where all samples or queries agree."""
    for axis in (0, 1):
        first = support.take([0], axis=axis)
        if (support == first).all():
            support = first
    return support
