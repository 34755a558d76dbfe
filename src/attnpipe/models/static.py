"""Learned weights per step that no window changes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attnpipe.models.fixed import FixedPooling
from attnpipe.schema.model import FixedAttention


class StaticPooling(FixedPooling):
    """``softmax_k(b_k)``; b starts at 0, that is, at equal weights."""

    def __init__(self, spec: FixedAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__(spec, layer)
        self.position = nn.Parameter(torch.zeros(window))

    def logits(self, hidden: Float[Tensor, "sample step size"]) -> Float[Tensor, "sample step"]:
        """Return the learned logits."""
        return self.position.expand(len(hidden), -1)
