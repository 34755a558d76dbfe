"""What attention over hidden states has in common."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

PublishedRow = Literal["only", "last_query", "mean_query"]


class Pooling(nn.Module, ABC):
    """Hidden states of a window → one context vector, through `attention.attend`.

    Attributes
    ----------
    published_row
        Row that profiles by document 0's rules take (`core.record.Probe.published_row`).
    """

    published_row: ClassVar[PublishedRow]

    @abstractmethod
    def forward(self, hidden: Float[Tensor, "sample step size"]) -> Float[Tensor, "sample size"]:
        """Return the context."""


def visible_everywhere() -> Tensor:
    """Return the support of attention without a mask, ``[1, 1, 1, 1]``."""
    return torch.ones(1, 1, 1, 1, dtype=torch.bool)
