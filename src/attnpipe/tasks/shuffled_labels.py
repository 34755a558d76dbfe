"""A task whose targets belong to other items: there is nothing to learn but their distribution."""

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from attnpipe.tasks.task import Batch, Examples, Split


class ShuffledLabels:
    """The inputs of a task with its targets permuted within each split.

    Parameters
    ----------
    task
        What is permuted; the permutation takes whole targets, all tokens of a sequence together.
    seed
        Drives the permutations, which depend on nothing else.
    """

    def __init__(self, task: Examples, seed: int) -> None:
        self._task = task
        rng = np.random.default_rng(seed)
        splits: tuple[Split, ...] = ("train", "validation")
        self._owner = {split: rng.permutation(task.count(split)) for split in splits}

    def count(self, split: Split) -> int:
        """Return the number of items of a split."""
        return self._task.count(split)

    def batch(self, split: Split, items: Int64[np.ndarray, " item"]) -> Batch:
        """Return items with the targets of others; raises `KeyError` for the test split."""
        targets = self._task.batch(split, self._owner[split][items]).targets
        return Batch(self._task.batch(split, items).inputs, targets)

    def loss(self, outputs: Tensor, batch: Batch) -> Float[Tensor, " item"]:
        """Return the loss of each item."""
        return self._task.loss(outputs, batch)
