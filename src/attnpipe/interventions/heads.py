"""Which heads are missed: one at a time, and ever more of them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from attnpipe.attention.hooks import on_output
from attnpipe.attention.means import mean_output
from attnpipe.interventions.losses import outputs
from attnpipe.interventions.material import Material, spread
from attnpipe.tasks.predict import BATCH
from attnpipe.tasks.task import Batch, Task

Head = tuple[int, int]
"""Layer and head."""

SELECTION = 512
"""Validation items on which the next head to be removed is chosen."""


@dataclass(frozen=True)
class Removal:
    """A step of removing heads: those gone so far, the newest last."""

    heads: tuple[Head, ...]
    draw: int | None = None


def all_heads(material: Material) -> list[Head]:
    """Return all heads, layer by layer."""
    return [(layer, head) for layer, n in material.heads.items() for head in range(n)]


def without(material: Material, heads: Sequence[Head]) -> AbstractContextManager[object]:
    """Put the mean in place of what some heads give back, inside."""
    chosen = {
        layer: torch.tensor([h for at, h in heads if at == layer], dtype=torch.int64)
        for layer in {layer for layer, _ in heads}
    }
    return on_output(mean_output(material.outputs, chosen))


def greedy(task: Task, module: nn.Module, material: Material, most_tried: int) -> Iterator[Removal]:
    """Yield the steps of removing all heads, each time the one that is missed least.

    Chosen on validation items, so that what it costs on the test split is not chosen to be
    small. Above `most_tried` heads their order is that of what each alone costs (Michel
    et al. 2019, Are sixteen heads really better than one?, do so for every model).
    """
    left = all_heads(material)
    gone: list[Head] = []
    alone = {head: _selection_loss(task, module, material, [head]) for head in left}
    if len(left) > most_tried:
        order = sorted(left, key=lambda head: (alone[head], head))
        yield from (Removal(tuple(order[: n + 1])) for n in range(len(order)))
        return
    while left:
        cost = alone if not gone else {
            head: _selection_loss(task, module, material, [*gone, head]) for head in left
        }  # fmt: skip
        least = min(left, key=lambda head: (cost[head], head))
        left.remove(least)
        gone.append(least)
        yield Removal(tuple(gone))


def random_orders(material: Material, draws: int) -> Iterator[Removal]:
    """Yield the steps of removing all heads in random orders, the same for all runs."""
    rng = np.random.default_rng(0)
    heads = all_heads(material)
    for draw in range(draws):
        order = [heads[i] for i in rng.permutation(len(heads))]
        yield from (Removal(tuple(order[: n + 1]), draw) for n in range(len(order)))


def _selection_loss(
    task: Task, module: nn.Module, material: Material, heads: Sequence[Head]
) -> float:
    items = spread(task.count("validation"), SELECTION)
    batches = np.array_split(items, max(1, -(-len(items) // BATCH)))

    def acting(batch: Batch) -> AbstractContextManager[object]:
        return without(material, heads)

    found = torch.from_numpy(outputs(task, module, "validation", batches, acting))
    ordered = np.sort(items)
    return float(task.loss(found, task.batch("validation", ordered)).double().mean())
