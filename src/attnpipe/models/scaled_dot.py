"""Scaled dot product of the hidden states with themselves."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.models.pooling import Pooling, support_of
from attnpipe.schema.model import ScaledDotAttention


class ScaledDotPooling(Pooling):
    """``softmax_k(h_q·h_k / √d)`` without parameters; contexts are averaged over queries."""

    published_row = "mean_query"

    def __init__(self, spec: ScaledDotAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the mean over queries of the weighted means of the hidden states."""
        steps = torch.arange(hidden.shape[1])
        states = hidden[:, None]
        contexts = attend(
            scaled_dot_scores(states, states),
            states,
            support_of(exists),
            query_positions=steps,
            key_positions=steps,
            layer=self.layer,
        )
        return contexts[:, 0].mean(1)
