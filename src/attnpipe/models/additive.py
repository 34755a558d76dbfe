"""Additive attention between all pairs of steps."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import additive_scores
from attnpipe.models.pooling import Pooling, support_of
from attnpipe.schema.model import AdditiveAttention


class AdditivePooling(Pooling):
    """``softmax_k(v·tanh(W_q h_q + W_k h_k))`` (Bahdanau et al. 2015); contexts are summed."""

    published_row = "last_query"

    def __init__(self, spec: AdditiveAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__()
        self.layer = layer
        self.query = nn.Linear(size, spec.size, bias=False)
        self.key = nn.Linear(size, spec.size, bias=False)
        self.vector = nn.Linear(spec.size, 1, bias=False)

    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the sum over queries of the weighted means of the hidden states."""
        steps = torch.arange(hidden.shape[1])
        contexts = attend(
            additive_scores(self.query(hidden), self.key(hidden), self.vector.weight[0]),
            hidden[:, None],
            support_of(exists),
            query_positions=steps,
            key_positions=steps,
            layer=self.layer,
        )
        return contexts[:, 0].sum(1)
