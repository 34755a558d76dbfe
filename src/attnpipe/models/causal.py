"""What layers of causal attention between tokens have in common."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.attend import ScoreBlock, attend
from attnpipe.schema.model import TransformerModel


class CausalAttention(nn.Module):
    """Heads whose queries see themselves and what came before; values and output are linear.

    Values and output are drawn before what subclasses add, so that arms share them in layer 0.
    """

    def __init__(self, spec: TransformerModel, layer: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, spec.heads
        self.value, self.out = (scaled(spec.width, spec.width) for _ in range(2))

    @abstractmethod
    def scores(
        self, hidden: Float[Tensor, "sample token width"], positions: Int64[Tensor, "#sample token"]
    ) -> ScoreBlock:
        """Return the logits of rows of queries."""

    def forward(
        self, hidden: Float[Tensor, "sample token width"], positions: Int64[Tensor, "#sample token"]
    ) -> Float[Tensor, "sample token width"]:
        """Return what attention adds to the tokens."""
        places = torch.arange(hidden.shape[1])
        context = attend(
            self.scores(hidden, positions),
            self.split(self.value(hidden)),
            (places[None, :] <= places[:, None])[None, None],
            query_positions=places,
            key_positions=places,
            layer=self.layer,
        )
        added: Tensor = self.out(context.transpose(1, 2).flatten(2))
        return added

    def split(
        self, of: Float[Tensor, "#sample token width"]
    ) -> Float[Tensor, "#sample head token dim"]:
        """Return a vector per head."""
        heads: Tensor = of.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return heads


def scaled(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear map without offset, its weights N(0, 1/inputs)."""
    linear = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(linear.weight, std=inputs**-0.5)
    return linear
