"""Equal weights: attention that does nothing but average."""

import torch
from jaxtyping import Float
from torch import Tensor

from attnpipe.models.fixed import FixedPooling
from attnpipe.schema.model import FixedAttention


class UniformPooling(FixedPooling):
    """Every step weighs the same; no parameters."""

    def __init__(self, spec: FixedAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__(spec, layer)

    def logits(self, hidden: Float[Tensor, "sample step size"]) -> Float[Tensor, "sample step"]:
        """Return zeros."""
        return torch.zeros(hidden.shape[:2], dtype=hidden.dtype)
