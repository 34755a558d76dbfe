"""Small instances with random weights of the architectures that the parity table lists."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from attnpipe.attention.adapter.sites import Site

STD = 0.2
"""Of all matrices: attention is far from uniform."""
VOCABULARY = 61
LENGTHS = (9, 6, 4)
"""Tokens of the texts; decoders of T5 and BART read `DECODER_LENGTHS` of their own."""
DECODER_LENGTHS = (7, 7, 5)
ENCODER_DECODERS = ("T5", "BART")
PATCHES = 10
"""Of ViT's images, the class token among them."""


@dataclass(frozen=True)
class Architecture:
    """A small instance of one architecture.

    Attributes
    ----------
    model
        Class in `transformers`.
    config
        Arguments of its config class.
    causal
        Whether its self-attention (a decoder's, if it also has an encoder) is causal.
    windows
        Sliding window of each layer, if any has one.
    own
        Its attention without the adapter.
    """

    model: str
    config: dict[str, Any]
    causal: bool = True
    windows: tuple[int | None, ...] = (None, None)
    own: str = "sdpa"


_SIZE = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2}
_HEADS = {"num_attention_heads": 4, "intermediate_size": 48}
_LLAMA = _SIZE | _HEADS | {"num_key_value_heads": 2}
_GEMMA = _LLAMA | {
    "head_dim": 8,
    "query_pre_attn_scalar": 4,
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention"],
}
_BERT = _SIZE | _HEADS | {"max_position_embeddings": 32}
_BART = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}

ZOO: dict[str, Architecture] = {
    "GPT-2": Architecture(
        "GPT2LMHeadModel",
        {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32},
    ),
    "Llama": Architecture("LlamaForCausalLM", _LLAMA),
    "Llama, one key head": Architecture("LlamaForCausalLM", _LLAMA | {"num_key_value_heads": 1}),
    "Mistral": Architecture("MistralForCausalLM", _LLAMA | {"sliding_window": 4}, windows=(4, 4)),
    "Qwen2": Architecture("Qwen2ForCausalLM", _LLAMA),
    "Gemma 2": Architecture(
        "Gemma2ForCausalLM",
        _GEMMA | {"attn_logit_softcapping": 3.0},
        windows=(4, None),
        own="eager",
    ),
    "Gemma 3": Architecture("Gemma3ForCausalLM", _GEMMA, windows=(4, None)),
    "Phi": Architecture("PhiForCausalLM", _SIZE | _HEADS),
    "OPT": Architecture(
        "OPTForCausalLM",
        _SIZE | {"num_attention_heads": 4, "ffn_dim": 48, "word_embed_proj_dim": 32},
    ),
    "GPT-NeoX": Architecture("GPTNeoXForCausalLM", _SIZE | _HEADS),
    "BERT": Architecture("BertModel", _BERT, causal=False),
    "RoBERTa": Architecture("RobertaModel", _BERT, causal=False),
    "DistilBERT": Architecture(
        "DistilBertModel",
        {"vocab_size": VOCABULARY, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
        causal=False,
    ),
    "ALBERT": Architecture("AlbertModel", _BERT | {"embedding_size": 16}, causal=False),
    "T5": Architecture(
        "T5ForConditionalGeneration",
        {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 48}
        | {"num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    ),
    "BART": Architecture(
        "BartForConditionalGeneration",
        _BART | {"encoder_attention_heads": 4, "decoder_attention_heads": 4},
    ),
    "ViT": Architecture(
        "ViTModel",
        {"hidden_size": 32, "num_hidden_layers": 2, "image_size": 12, "patch_size": 4} | _HEADS,
        causal=False,
    ),
}


def build(name: str, dtype: torch.dtype = torch.float64, own: str | None = None) -> PreTrainedModel:
    """Return an instance whose attention is far from uniform: the same weights for each dtype."""
    architecture = ZOO[name]
    cls = getattr(transformers, architecture.model)
    special = {} if name == "ViT" else {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = cls.config_class(**architecture.config, **special)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = cls._from_config(config, attn_implementation=own or architecture.own)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=STD)
    return model.to(dtype).eval()


def batch(name: str, texts: Sequence[int] = (0, 1, 2), side: str = "right") -> dict[str, Tensor]:
    """Return some of the texts as a batch, padded at one side; images for ViT.

    Positions count from the first token that is no padding, where a model takes positions.
    """
    generator = torch.Generator().manual_seed(1)
    if name == "ViT":
        return {"pixel_values": torch.randn(3, 3, 12, 12, generator=generator)[list(texts)]}
    inputs = _padded(generator, LENGTHS, texts, side)
    if name in ENCODER_DECODERS:
        decoder = _padded(generator, DECODER_LENGTHS, texts, side)
        inputs |= {f"decoder_{key}": value for key, value in decoder.items()}
    forward = getattr(transformers, ZOO[name].model).forward
    if "position_ids" in inspect.signature(forward).parameters:
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
    return inputs


def _padded(
    generator: torch.Generator, lengths: Sequence[int], texts: Sequence[int], side: str
) -> dict[str, Tensor]:
    tokens = torch.randint(3, VOCABULARY, (len(lengths), max(lengths)), generator=generator)
    longest = max(lengths[text] for text in texts)
    ids = torch.zeros(len(texts), longest, dtype=torch.int64)
    for row, text in enumerate(texts):
        n = lengths[text]
        place = slice(longest - n, longest) if side == "left" else slice(0, n)
        ids[row, place] = tokens[text, :n]
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def visible(name: str, site: Site, queries: int, keys: int) -> np.ndarray:
    """Return bool ``[query, key]``: what a site should see of texts without padding."""
    architecture = ZOO[name]
    lag = np.arange(queries)[:, None] - np.arange(keys)
    seen = np.ones_like(lag, dtype=bool)
    of_decoder = in_decoder(name, site) or name not in ENCODER_DECODERS
    if site.kind == "self" and architecture.causal and of_decoder:
        seen &= lag >= 0
    if architecture.windows[site.layer] is not None:
        seen &= abs(lag) < architecture.windows[site.layer]
    return seen


def declared_support(name: str, site: Site, texts: Sequence[int], side: str) -> np.ndarray:
    """Return bool ``[sample, query, key]``: what a site should see, from the texts' lengths."""
    if name == "ViT":
        return np.ones((len(texts), PATCHES, PATCHES), dtype=bool)
    decoder = in_decoder(name, site)
    lengths = {False: LENGTHS, True: DECODER_LENGTHS}
    queries = _real([lengths[decoder][t] for t in texts], side)
    keys = _real([lengths[decoder and site.kind == "self"][t] for t in texts], side)
    seen = visible(name, site, queries.shape[1], keys.shape[1])
    return seen & queries[:, :, None] & keys[:, None, :]


def in_decoder(name: str, site: Site) -> bool:
    """Return whether a site reads the second text of an architecture with two."""
    return name in ENCODER_DECODERS and "decoder" in site.name


def _real(lengths: Sequence[int], side: str) -> np.ndarray:
    real = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return real[:, ::-1] if side == "left" else real
