"""The last step asks all steps."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.models.pooling import Pooling, support_of
from attnpipe.schema.model import QueryAttention


class QueryPooling(Pooling):
    """``softmax_k((W_q h_T)·(W_k h_k) / √d)``, one row (Vaswani et al. 2017, eq. 1)."""

    published_row = "only"

    def __init__(self, spec: QueryAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__()
        self.layer = layer
        self.query, self.key = (nn.Linear(size, spec.size, bias=False) for _ in range(2))

    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the mean of the hidden states under the last step's weights."""
        steps = hidden.shape[1]
        context = attend(
            scaled_dot_scores(self.query(hidden[:, -1:])[:, None], self.key(hidden)[:, None]),
            hidden[:, None],
            support_of(exists),
            query_positions=torch.tensor([steps - 1]),
            key_positions=torch.arange(steps),
            layer=self.layer,
        )
        return context[:, 0, 0]
