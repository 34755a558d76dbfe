"""Observers that several stages share."""

from collections.abc import Callable
from typing import Generic, TypeVar

from attnpipe.core.block import Block
from attnpipe.core.fold import Fold

F = TypeVar("F", bound=Fold)


class LayerFolds(Generic[F]):
    """One fold per attention layer, made when the layer is first seen.

    Parameters
    ----------
    make
        Layer → its fold.
    """

    def __init__(self, make: Callable[[int], F]) -> None:
        self._make = make
        self.folds: dict[int, F] = {}

    def observe(self, layer: int, block: Block) -> None:
        """Give the rows to the layer's fold."""
        if layer not in self.folds:
            self.folds[layer] = self._make(layer)
        self.folds[layer].update(block)
