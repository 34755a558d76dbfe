"""Tokens and attention between them, layer upon layer; nothing else."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.models.causal import scaled
from attnpipe.models.registry import LAYERS
from attnpipe.schema.model import TransformerModel


class Transformer(nn.Module):
    """Attention-only language model: each layer adds to the tokens' vectors what its heads bring.

    Elhage et al. (2021), A mathematical framework for transformer circuits. Without attention
    the next token is foretold from the present one alone. Embedding and readout are drawn
    before the layers, so that a model and its arms share them at a seed.
    """

    published_row = "last_query"

    def __init__(self, spec: TransformerModel, vocabulary: int, window: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, spec.width)
        self.readout = scaled(spec.width, vocabulary)
        self.layers = nn.ModuleList()
        if spec.attention is not None:
            layer = LAYERS.load(spec.attention.kind)
            self.layers.extend(layer(spec, at, window) for at in range(spec.layers))

    def forward(
        self,
        tokens: Int64[Tensor, "sample token"],
        positions: Int64[Tensor, "#sample token"] | None = None,
    ) -> Float[Tensor, "sample token word"]:
        """Return the logits of the token after each.

        Parameters
        ----------
        tokens
            Read from left to right.
        positions
            Where each stands, below the window's length; None: 0, 1, 2, …
        """
        if positions is None:
            positions = torch.arange(tokens.shape[1])[None]
        hidden = self.embed(tokens)
        for layer in self.layers:
            hidden = hidden + layer(hidden, positions)
        logits: Tensor = self.readout(hidden)
        return logits
