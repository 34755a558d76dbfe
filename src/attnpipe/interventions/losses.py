"""Loss of every item of a split while something acts on attention."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import polars as pl
from jaxtyping import Float, Int64
from torch import nn

from attnpipe.attention.hooks import Override, overriding
from attnpipe.tasks.predict import BATCH, forward
from attnpipe.tasks.task import Batch, Split, Task

Acting = Callable[[Batch], AbstractContextManager[object]]
"""The batch that is about to be read → the context in which the intervention acts."""

ORDER_SEED = 0
"""Of the order of items, the same for all runs: donors of `permuted` are paired over seeds."""


def overridden(override: Override, batch: Batch) -> AbstractContextManager[object]:
    """Let an override act, whatever the batch; an `Acting` with its override bound."""
    return overriding(override)


def shuffled_batches(count: int) -> list[Int64[np.ndarray, " _"]]:
    """Return all items in a random order, in batches of nearly equal size.

    Neighbours in time are alike: rows must be exchanged with those of any other time. No
    batch is left with one item alone.
    """
    order = np.random.default_rng(ORDER_SEED).permutation(count)
    return np.array_split(order, max(1, -(-count // BATCH)))


def outputs(
    task: Task,
    module: nn.Module,
    split: Split,
    batches: list[Int64[np.ndarray, " _"]],
    acting: Acting,
) -> Float[np.ndarray, "item ..."]:
    """Return the outputs under an intervention, in the order of the items' numbers."""
    parts = []
    for items in batches:
        batch = task.batch(split, items)
        with acting(batch):
            parts.append(forward(module, batch, items))
    order = np.argsort(np.concatenate(batches), kind="stable")
    return np.concatenate(parts)[order]


def test_scores(task: Task, module: nn.Module, acting: Acting) -> pl.DataFrame:
    """Return the task's table of scores of the whole test split under an intervention."""
    batches = shuffled_batches(task.count("test"))
    return task.scores("test", outputs(task, module, "test", batches, acting))
