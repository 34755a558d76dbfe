"""What attention over hidden states has in common."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
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
    def forward(
        self,
        hidden: Float[Tensor, "sample step size"],
        exists: Bool[Tensor, "sample step"] | None = None,
    ) -> Float[Tensor, "sample size"]:
        """Return the context; steps that do not exist get no weight."""


def support_of(exists: Bool[Tensor, "sample step"] | None) -> Bool[Tensor, "#sample 1 1 #step"]:
    """Return the keys that every query may see: those that exist, or all."""
    if exists is None:
        return torch.ones(1, 1, 1, 1, dtype=torch.bool)
    return exists[:, None, None, :]
