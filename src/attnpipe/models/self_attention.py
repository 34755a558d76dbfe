"""Causal attention by scaled dot products."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.attend import ScoreBlock
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.models.causal import CausalAttention, scaled
from attnpipe.schema.model import TransformerModel


class SelfAttention(CausalAttention):
    """``softmax((W_q (h + p))·(W_k (h + p)) / √dim)`` with learned positions p.

    Positions reach queries and keys alone (Press, Smith and Lewis 2021, Shortformer), so
    that what is passed on says what a token is, not where it stands.
    """

    def __init__(self, spec: TransformerModel, layer: int, window: int) -> None:
        super().__init__(spec, layer)
        self.query, self.key = (scaled(spec.width, spec.width) for _ in range(2))
        self.position = nn.Parameter(torch.randn(window, spec.width))

    def scores(
        self, hidden: Float[Tensor, "sample token width"], positions: Int64[Tensor, "#sample token"]
    ) -> ScoreBlock:
        """Return the logits of rows of queries."""
        placed = hidden + self.position[positions]
        return scaled_dot_scores(self.split(self.query(placed)), self.split(self.key(placed)))
