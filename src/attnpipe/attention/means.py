"""Means of attention over a dataset: of its weights by position, and of what it gives back."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attnpipe.attention.hooks import Output, OutputHook
from attnpipe.core.block import Block

HeadSets = Mapping[int, Int64[Tensor, " chosen"]]
"""Layer → heads."""


class MeanWeights:
    """Mean row of every head at every query position, over the samples that have the query.

    Memory is query × key per head: for windows and short texts.
    """

    def __init__(self) -> None:
        self._sums: dict[int, Float[Tensor, "head query key"]] = {}
        self._counts: dict[int, Float[Tensor, " query"]] = {}

    def observe(self, layer: int, block: Block) -> None:
        """Add some rows; those of padding are left out."""
        weights = block.weights.double()
        real = block.support.any(-1).expand(weights.shape[1:3])
        weights = torch.where(real[None, :, :, None], weights, 0.0)
        queries, keys = block.query_positions, block.key_positions
        total = self._room(layer, len(weights), int(queries.max()) + 1, int(keys.max()) + 1)
        total[:, queries[:, None], keys[None, :]] += weights.sum(1)
        self._counts[layer][queries] += real.sum(0)

    def _room(self, layer: int, heads: int, queries: int, keys: int) -> Tensor:
        old = self._sums.get(layer, torch.zeros(heads, 0, 0, dtype=torch.float64))
        shape = (heads, max(queries, old.shape[1]), max(keys, old.shape[2]))
        if shape != old.shape:
            self._sums[layer] = torch.zeros(shape, dtype=torch.float64)
            self._sums[layer][:, : old.shape[1], : old.shape[2]] = old
            counts = self._counts.get(layer, torch.zeros(0, dtype=torch.float64))
            self._counts[layer] = torch.zeros(shape[1], dtype=torch.float64)
            self._counts[layer][: len(counts)] = counts
        return self._sums[layer]

    def means(self) -> dict[int, Float[Tensor, "head query key"]]:
        """Return layer → mean weights; rows of positions that no sample has are 0."""
        return {
            layer: total / self._counts[layer].clamp(min=1)[None, :, None]
            for layer, total in self._sums.items()
        }


class MeanOutputs:
    """Mean of what every head gives back, over samples and, unless by position, queries.

    Parameters
    ----------
    by_position
        One mean per query position, for samples that share their positions; else one for
        all, for texts of any length.
    """

    def __init__(self, *, by_position: bool) -> None:
        self._by_position = by_position
        self._sums: dict[int, Float[Tensor, "head query dim"]] = {}
        self._counts: dict[int, Float[Tensor, " query"]] = defaultdict(lambda: torch.zeros(()))

    def __call__(self, layer: int, output: Output) -> None:
        """Add a layer's output, as an `OutputHook` that changes nothing."""
        real = output.real.expand(len(output.context), -1)
        context = torch.where(real[:, None, :, None], output.context.double(), 0.0).sum(0)
        counts = real.sum(0).double()
        if not self._by_position:
            context, counts = context.sum(1, keepdim=True), counts.sum(0, keepdim=True)
        self._sums[layer] = self._sums[layer] + context if layer in self._sums else context
        self._counts[layer] = self._counts[layer] + counts

    def means(self) -> dict[int, Float[Tensor, "head q dim"]]:
        """Return layer → mean output."""
        return {
            layer: total / self._counts[layer].clamp(min=1)[None, :, None]
            for layer, total in self._sums.items()
        }


def mean_output(
    means: Mapping[int, Float[Tensor, "head q dim"]], heads: HeadSets | None = None
) -> OutputHook:
    """Put the mean in place of what attention gives back, to see whether it is used at all.

    Parameters
    ----------
    means
        Layer → mean output (`MeanOutputs`); other layers stay as they are.
    heads
        Heads whose output is replaced; None: all heads of all layers in `means`.
    """

    def hook(layer: int, output: Output) -> Tensor | None:
        chosen = None if heads is None else heads.get(layer)
        if layer not in means or (heads is not None and (chosen is None or len(chosen) == 0)):
            return None
        mean = means[layer].to(output.context.dtype)
        replaced = output.context.clone()
        if chosen is None:
            replaced[:] = mean
        else:
            replaced[:, chosen] = mean[chosen]
        return replaced

    return hook
