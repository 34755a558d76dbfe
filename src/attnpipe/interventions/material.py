"""What interventions put in place of attention, taken from training samples."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.hooks import Override, observing, on_output, overriding
from attnpipe.attention.means import MeanOutputs, MeanWeights
from attnpipe.core.block import Block
from attnpipe.core.progress import Say, unsaid
from attnpipe.tasks.predict import BATCH, forward
from attnpipe.tasks.task import Batch, Task


@dataclass(frozen=True)
class Material:
    """Means over training samples.

    Attributes
    ----------
    weights
        Layer → mean weights by position.
    outputs
        Layer → mean output of each head by position.
    """

    weights: Mapping[int, Float[Tensor, "head query key"]]
    outputs: Mapping[int, Float[Tensor, "head output dim"]]

    @property
    def heads(self) -> dict[int, int]:
        """Layer → its number of heads."""
        return {layer: len(mean) for layer, mean in sorted(self.outputs.items())}


def spread(count: int, wanted: int) -> Int64[np.ndarray, " item"]:
    """Return so many items, evenly spread; all if there are fewer."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)


def gather(task: Task, module: nn.Module, samples: int, say: Say = unsaid) -> Material:
    """Return the means over so many training samples; over all, and say so, if there are fewer."""
    weights, means = MeanWeights(), MeanOutputs(by_position=True)
    there = task.count("train")
    if there < samples:
        say(
            f"warning: means are of all {there} training samples there are, fewer than the "
            f"{samples} that intervention.mean_samples asks for"
        )
    items = spread(there, samples)
    with observing(weights), on_output(means):
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            forward(module, task.batch("train", part), part)
    return Material(weights.means(), means.means())


class _Kept:
    """Keeps the weights of a batch, layer by layer."""

    def __init__(self) -> None:
        self.blocks: dict[int, list[Block]] = {}

    def observe(self, layer: int, block: Block) -> None:
        self.blocks.setdefault(layer, []).append(block)


@contextmanager
def weights_of(other: nn.Module, batch: Batch) -> Iterator[None]:
    """Let the weights that another module has on a batch act inside.

    The modules must have the same attention layers; the batch is read by `other` first.
    """
    kept = _Kept()
    with observing(kept):
        forward(other, batch, np.arange(len(batch.targets)))
    with overriding(_given(kept.blocks)):
        yield


def _given(blocks: Mapping[int, list[Block]]) -> Override:
    def override(layer: int, block: Block) -> Tensor:
        weights = torch.cat([b.weights for b in blocks[layer]], dim=2)
        queries = torch.cat([b.query_positions for b in blocks[layer]])
        rows = torch.searchsorted(queries, block.query_positions)
        return weights[:, :, rows]

    return override


def nothing(batch: Batch) -> AbstractContextManager[None]:
    """Leave attention as it is."""
    return nullcontext()
