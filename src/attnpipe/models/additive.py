"""Additive attention between all pairs of steps."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import additive_scores
from attnpipe.models.pooling import Pooling, visible_everywhere
from attnpipe.schema.model import AdditiveAttention


class AdditivePooling(Pooling):
    """``softmax_k(v·tanh(W_q h_q + W_k h_k))`` (Bahdanau et al. 2015); contexts are summed."""

    published_row = "last_query"

    def __init__(self, spec: AdditiveAttention, size: int, *, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.query = nn.Linear(size, spec.size, bias=False)
        self.key = nn.Linear(size, spec.size, bias=False)
        self.vector = nn.Linear(spec.size, 1, bias=False)

    def forward(self, hidden: Float[Tensor, "sample step size"]) -> Float[Tensor, "sample size"]:
        """Return the sum over queries of the weighted means of the hidden states."""
        steps = torch.arange(hidden.shape[1])
        contexts = attend(
            additive_scores(self.query(hidden), self.key(hidden), self.vector.weight[0]),
            hidden[:, None],
            visible_everywhere(),
            query_positions=steps,
            key_positions=steps,
            layer=self.layer,
        )
        return contexts[:, 0].sum(1)
