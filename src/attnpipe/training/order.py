"""The seeded order in which training items are drawn."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64


class ShuffledItems:
    """Draws items without replacement until all were seen, then shuffles anew.

    Parameters
    ----------
    count
        Items to draw from.
    seed
        Drives the order, which depends on nothing else.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._count = count
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = torch.randperm(self._count, generator=self._generator).numpy()
        self._position = 0

    def take(self, n: int) -> Int64[np.ndarray, " {n}"]:
        """Return the next `n` items."""
        parts = []
        while n > 0:
            if self._position == self._count:
                self._shuffle()
            part = self._order[self._position : self._position + n]
            self._position += len(part)
            n -= len(part)
            parts.append(part)
        return np.concatenate(parts)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that is needed to go on."""
        return {
            "generator": self._generator.get_state().numpy(),
            "order": self._order,
            "position": np.array([self._position]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from where `state` was taken."""
        self._generator.set_state(torch.from_numpy(state["generator"].copy()))
        self._order = state["order"].copy()
        self._position = int(state["position"][0])
