"""A model of GPT-2's shape with random weights, and what it reads."""

from pathlib import Path

import torch
from torch import Tensor, nn

WORDS = 1000
SHARPER = 2.5
"""Factor of query and key weights: logits of deviation 2, far from uniform, as trained ones are."""


def save(folder: Path, layers: int, length: int) -> None:
    """Write a GPT-2 of 12 heads of 64 without its language model head."""
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    model = GPT2Model(GPT2Config(n_layer=layers, n_positions=length))
    with torch.no_grad():
        for block in model.h:
            block.attn.c_attn.weight[:, : 2 * model.config.n_embd] *= SHARPER
    model.save_pretrained(folder)


def tokens(length: int) -> Tensor:
    """Return one text of random tokens, many of which come again."""
    return torch.randint(0, WORDS, (1, length), generator=torch.Generator().manual_seed(1))


def own(model: nn.Module) -> None:
    """Copy the weights into the process: pages of a mapped file count once they are read."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
