"""What poolings have in common whose weights see no content."""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attnpipe.attention.attend import attend
from attnpipe.attention.scores import pooling_scores
from attnpipe.models.pooling import Pooling, support_of
from attnpipe.schema.model import FixedAttention


class FixedPooling(Pooling):
    """One row of weights, which is that of every query; located at the last step."""

    published_row = "only"

    def __init__(self, spec: FixedAttention, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.reduce = spec.reduce

    @abstractmethod
    def logits(self, hidden: Float[Tensor, "sample step size"]) -> Float[Tensor, "sample step"]:
        """Return the logits of the row."""

    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the mean or the sum over queries of the weighted means of the hidden states."""
        steps = hidden.shape[1]
        context = attend(
            pooling_scores(self.logits(hidden)),
            hidden[:, None],
            support_of(exists),
            query_positions=torch.tensor([steps - 1]),
            key_positions=torch.arange(steps),
            layer=self.layer,
        )[:, 0, 0]
        return context * steps if self.reduce == "sum" else context
