"""Whether weights and tokenizer belong together: sentences against their shuffled tokens.

The check finds tensors in wrong places, wrong shapes of heads and a tokenizer of another
model. It cannot find a subtle fault, such as a wrong pairing of rotated rows, which costs a
factor of 1.5: tests pin that.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from attnpipe.core.errors import UserError
from attnpipe.pretrained.perplexity import token_nll

SENTENCES = (
    "The capital of France is Paris.",
    "The capital of Italy is Rome.",
    "The capital of Germany is Berlin.",
    "The quick brown fox jumps over the lazy dog.",
    "Water boils at one hundred degrees Celsius at sea level.",
    "The sun rises in the east and sets in the west.",
)
SHUFFLES = 4
RATIO = 10.0
"""A converted model must find sentences this many times less perplexing than their shuffles.

SmolLM2-135M: about 250; with only the rows of its queries in a wrong order, or with random
weights: about 1."""


@dataclass(frozen=True)
class Perplexities:
    """Perplexity of `SENTENCES` and of their tokens in random order, and of how many tokens."""

    real: float
    shuffled: float
    tokens: int


def measure(model: PreTrainedModel, tokenizer: Tokenizer, path: Path) -> Perplexities:
    """Return the perplexities; the first token of a sentence stays in its place.

    Raises
    ------
    UserError
        The model gives no probabilities. `path` is where it comes from, for the message.
    """
    generator = torch.Generator().manual_seed(0)
    positions = getattr(model.config, "max_position_embeddings", None)
    real, shuffled = [], []
    for sentence in SENTENCES:
        ids = torch.tensor(tokenizer.encode(sentence).ids[:positions])
        orders = [torch.randperm(len(ids) - 1, generator=generator) for _ in range(SHUFFLES)]
        mixed = torch.stack([torch.cat([ids[:1], ids[1:][order]]) for order in orders])
        real.append(token_nll(model, ids[None]).double().flatten())
        shuffled.append(token_nll(model, mixed).double().flatten())
    found = Perplexities(_perplexity(real), _perplexity(shuffled), sum(map(len, real)))
    if not math.isfinite(found.real + found.shuffled):
        raise UserError(
            f"the model from '{path}' has perplexity {found.real} on English sentences and "
            f"{found.shuffled} on their shuffled tokens; give an undamaged model"
        )
    return found


def _perplexity(parts: list[torch.Tensor]) -> float:
    # Rounded, so that facts do not depend on the order of sums on a machine.
    return float(f"{torch.cat(parts).mean().exp().item():.5g}")


def check_conversion(found: Perplexities, path: Path) -> None:
    """Raise a `UserError` if a converted model prefers real sentences too little."""
    if found.real * RATIO > found.shuffled:
        raise UserError(
            f"the model converted from '{path}' has perplexity {found.real:.4g} on English "
            f"sentences and {found.shuffled:.4g} on their shuffled tokens, which should be "
            f"{RATIO:.0f} times as much; give another file, or the model as safetensors"
        )
