"""Models of the parity table under observers, and their own eager weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from benchmarks.architectures import build
from torch import Tensor
from transformers import PreTrainedModel

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.adapter.sites import Site
from attnpipe.attention.hooks import observing
from attnpipe.core.block import Block


@dataclass
class Kept:
    """An observer that keeps everything."""

    blocks: dict[int, list[Block]] = field(default_factory=dict)

    def observe(self, layer: int, block: Block) -> None:
        """Keep a block."""
        self.blocks.setdefault(layer, []).append(block)


@dataclass
class KeptScores(Kept):
    """An observer that keeps what arrived, too."""

    scores: dict[int, Scores] = field(default_factory=dict)

    def attend(self, layer: int, scores: Scores) -> None:
        """Keep the scores, and make the blocks of them."""
        self.scores[layer] = scores
        rows = slice(0, scores.q.shape[2])
        weights, support = scores.weights(rows).transpose(0, 1), scores.support(rows)
        where = scores.query_positions, scores.key_positions, scores.samples
        self.observe(layer, Block(weights, support, *where))


def output(model: PreTrainedModel, inputs: dict[str, Any]) -> Tensor:
    """Return logits or the last hidden state ``[token, …]`` of all tokens that are no padding."""
    with torch.no_grad():
        tensor: Tensor = model(**_as(model, inputs))[0]
    decoder = inputs.get("decoder_attention_mask")
    real = inputs.get("attention_mask") if decoder is None else decoder
    known = real is not None and real.shape == tensor.shape[:2]
    return tensor[real.bool()] if known else tensor.flatten(0, 1)


def observe(
    model: PreTrainedModel, inputs: dict[str, Any], observer: Any, **options: Any
) -> tuple[Tensor, tuple[Site, ...]]:
    """Return a model's output under an observer, and its sites."""
    with adapted(model, **options) as sites, observing(observer):
        return output(model, inputs), sites


@contextmanager
def exact_softmax() -> Iterator[None]:
    """Let eager attention stay in float64 inside.

    Many models' eager functions take the softmax in float32 whatever their dtype; besides
    rounding, the mask's lowest float64 becomes −∞ there, and padding rows NaN.
    """
    softmax = torch.nn.functional.softmax

    def same_dtype(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
        return softmax(x, dim=dim, dtype=None if x.dtype == torch.float64 else dtype)

    with mock.patch("torch.nn.functional.softmax", same_dtype):
        yield


def eager_weights(
    name: str, dtype: torch.dtype, inputs: dict[str, Any], sites: Sequence[Site]
) -> list[Tensor]:
    """Return each site's weights ``[sample, head, query, key]`` as eager attention gives them."""
    model = build(name, dtype, own="eager")
    with torch.no_grad(), exact_softmax():
        result = model(**_as(model, inputs), output_attentions=True)
    weights = []
    for site in sites:
        kind = "attentions"
        if model.config.is_encoder_decoder:
            kind = f"{site.name.removeprefix('model.').split('.')[0]}_attentions"
        weights.append(result["cross_attentions" if site.kind == "cross" else kind][site.layer])
    return weights


def _as(model: PreTrainedModel, inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v.to(model.dtype) if isinstance(v, Tensor) and v.is_floating_point() else v
        for k, v in inputs.items()
    }
