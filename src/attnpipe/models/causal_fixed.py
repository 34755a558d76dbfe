"""Causal attention whose weights see no content."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attnpipe.attention.attend import ScoreBlock
from attnpipe.models.causal import CausalAttention
from attnpipe.schema.model import TransformerModel


class CausalUniform(CausalAttention):
    """Every token weighs all that it sees the same."""

    def __init__(self, spec: TransformerModel, layer: int, window: int) -> None:
        super().__init__(spec, layer)

    def scores(
        self, hidden: Float[Tensor, "sample token width"], positions: Int64[Tensor, "#sample token"]
    ) -> ScoreBlock:
        """Return zeros."""
        samples, tokens, _ = hidden.shape
        zeros = torch.zeros(samples, self.heads, 1, tokens, dtype=hidden.dtype)
        return lambda rows: zeros.expand(-1, -1, len(range(*rows.indices(tokens))), -1)


class CausalStatic(CausalAttention):
    """One learned logit per head, query and key, the same for all sequences; 0 at first."""

    def __init__(self, spec: TransformerModel, layer: int, window: int) -> None:
        super().__init__(spec, layer)
        self.position = nn.Parameter(torch.zeros(spec.heads, window, window))

    def scores(
        self, hidden: Float[Tensor, "sample token width"], positions: Int64[Tensor, "#sample token"]
    ) -> ScoreBlock:
        """Return the learned logits of the tokens' positions."""
        logits = self.position[:, positions[:, :, None], positions[:, None, :]].transpose(0, 1)
        return lambda rows: logits[:, :, rows].expand(len(hidden), -1, -1, -1)
