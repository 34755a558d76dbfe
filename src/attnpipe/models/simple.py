"""Query-free attention: one linear score per step."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import pooling_scores
from attnpipe.models.pooling import Pooling, support_of
from attnpipe.schema.model import SimpleAttention


class SimplePooling(Pooling):
    """``softmax_k(w·h_k + b)``; its only row is located at the last step."""

    published_row = "only"

    def __init__(self, spec: SimpleAttention, size: int, *, layer: int, window: int) -> None:
        super().__init__()
        self.layer = layer
        self.score = nn.Linear(size, 1)

    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the weighted mean of the hidden states."""
        steps = hidden.shape[1]
        context = attend(
            pooling_scores(self.score(hidden).squeeze(-1)),
            hidden[:, None],
            support_of(exists),
            query_positions=torch.tensor([steps - 1]),
            key_positions=torch.arange(steps),
            layer=self.layer,
        )
        return context[:, 0, 0]
