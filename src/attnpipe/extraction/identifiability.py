"""How much of a row could be otherwise without changing what attention passes on."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attnpipe.core.block import Block

TOLERANCE = 1e-6
"""Singular values below this share of the largest are none."""
FLAT = 1e-12
"""Squared distance from uniform below which a row has no direction."""


class NullShare:
    """Observer: share of a row's distance from uniform that its values cannot tell.

    With V the values of the n keys that a row p sees and u = 1/n, p − u is projected onto
    the left null space of [V, 1]: adding a vector of that space to p changes neither the sum
    of the weights nor the weighted mean of the values (Brunner et al. 2020, On
    identifiability in transformers, arXiv 1908.04211, §3). The share is that of its squared
    length, about (n − 1 − d)/(n − 1) for n keys and d dimensions if p has nothing to do
    with V. What the values are multiplied with afterwards is not counted: it can only add.

    Looked at are, in each sample, the rows that see as many keys as any, and the same ones.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[int, Tensor, Tensor, Tensor]] = {}

    def observe(self, layer: int, block: Block) -> None:
        """Look at the rows of one layer that see as many keys as any yet, in whatever blocks."""
        if block.values is None:
            return
        heads, samples, queries, _ = block.weights.shape
        support = block.support.expand(samples, queries, -1)
        values = block.values.double()
        values = values.repeat_interleave(heads // len(values), dim=0)
        for place, sample in enumerate(block.samples.tolist()):
            n = support[place].sum(-1)
            most = int(n.max())
            known = self._found.get((layer, sample))
            if most == 0 or (known is not None and known[0] > most):
                continue
            seen = support[place, int(n.argmax())]
            if known is not None and known[0] == most:
                seen = known[3]
            wide = (support[place] == seen).all(-1)
            if not bool(wide.any()):
                continue
            rows = block.weights[:, place, wide][..., seen].double()
            share = _shares(rows, values[:, place, seen])
            told = ~share.isnan()
            total, count = torch.where(told, share, 0.0).sum(1), told.sum(1)
            if known is not None and known[0] == most:
                total, count = total + known[1], count + known[2]
            self._found[layer, sample] = (most, total, count, seen)

    def means(self) -> dict[int, list[float | None]]:
        """Return layer → mean share of each head; None for a head whose rows are all uniform."""
        found: dict[int, list[float | None]] = {}
        for layer in sorted({layer for layer, _ in self._found}):
            own = [value for (at, _), value in self._found.items() if at == layer]
            total = torch.stack([value[1] for value in own]).sum(0)
            rows = torch.stack([value[2] for value in own]).sum(0)
            found[layer] = [
                float(t / r) if r > 0 else None for t, r in zip(total, rows, strict=True)
            ]
        return found


def _shares(
    rows: Float[Tensor, "head query key"], values: Float[Tensor, "head key dim"]
) -> Float[Tensor, "head query"]:
    n = rows.shape[-1]
    away = rows - 1 / n
    told = torch.cat([values, torch.ones(*values.shape[:2], 1, dtype=values.dtype)], dim=2)
    basis, size, _ = torch.linalg.svd(told, full_matrices=False)
    basis = torch.where(size[:, None] > TOLERANCE * size[:, :1, None], basis, 0.0)
    rest = away - (away @ basis) @ basis.transpose(1, 2)
    length = away.square().sum(-1)
    return torch.where(length > FLAT, rest.square().sum(-1) / length, np.nan)
