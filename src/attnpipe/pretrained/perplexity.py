"""How well a causal model predicts texts: the check that weights and tokenizer fit."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel


def token_nll(
    model: PreTrainedModel, ids: Int64[Tensor, "text token"]
) -> Float[Tensor, "text predicted"]:
    """Return the negative log-likelihood of every token after the first, in nats.

    ``-ln p(x_i | x_0 … x_{i-1})``; entry 0 belongs to token 1.

    Parameters
    ----------
    model
        A causal language model in evaluation mode.
    ids
        Texts of equal length, at least two tokens, without padding.

    Returns
    -------
    Tensor
        float32 ``[text, token - 1]``, each at least 0.
    """
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
    return functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")


def mean_nll(model: PreTrainedModel, texts: Iterable[Int64[Tensor, " _"]]) -> float:
    """Return the mean over all predicted tokens of all texts, in nats."""
    rows = [token_nll(model, ids[None])[0].double() for ids in texts]
    return float(torch.cat(rows).mean())


def perplexity(model: PreTrainedModel, texts: Iterable[Int64[Tensor, " _"]]) -> float:
    """Return ``exp`` of the mean negative log-likelihood: the number of equal choices."""
    return float(np.exp(mean_nll(model, texts)))  # inf instead of an OverflowError
