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

    Rows of queries that see as many keys as the last one are looked at.
    """

    def __init__(self) -> None:
        self._sums: dict[int, Float[Tensor, " head"]] = {}
        self._rows: dict[int, Float[Tensor, " head"]] = {}

    def observe(self, layer: int, block: Block) -> None:
        """Add the rows of one layer that see as many keys as any."""
        if block.values is None:
            return
        heads, samples, queries, _ = block.weights.shape
        support = block.support.expand(samples, queries, -1)
        n = support.sum(-1)
        values = block.values.double()
        values = values.repeat_interleave(heads // len(values), dim=0)
        for sample in range(samples):
            wide = torch.nonzero(n[sample] == n[sample].max())[:, 0]
            seen = support[sample, wide[-1]]
            rows = block.weights[:, sample, wide][..., seen].double()
            share = _shares(rows, values[:, sample, seen])
            known = ~share.isnan()
            total = torch.where(known, share, 0.0).sum(1)
            self._sums[layer] = self._sums.get(layer, torch.zeros(heads).double()) + total
            self._rows[layer] = self._rows.get(layer, torch.zeros(heads).double()) + known.sum(1)

    def means(self) -> dict[int, list[float | None]]:
        """Return layer → mean share of each head; None for a head whose rows are all uniform."""
        found: dict[int, list[float | None]] = {}
        for layer, total in sorted(self._sums.items()):
            rows = self._rows[layer]
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
