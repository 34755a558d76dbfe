"""TransformerLens with the same weights, in an environment of its own."""

from collections.abc import Callable
from pathlib import Path

import torch
from benchmarks.capturing.full_weights import over_layers, vectorized
from benchmarks.capturing.model import own, tokens
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2LMHeadModel


def prepare(method: str, folder: Path, layers: int, length: int) -> Callable[[], dict[str, float]]:
    """Return what runs the model with a cache of its patterns, then reduces them."""
    torch.set_num_threads(1)
    theirs = GPT2LMHeadModel.from_pretrained(folder)
    config = theirs.config
    cfg = HookedTransformerConfig(
        n_layers=config.n_layer,
        d_model=config.n_embd,
        n_heads=config.n_head,
        d_head=config.n_embd // config.n_head,
        d_mlp=4 * config.n_embd,
        n_ctx=length,
        d_vocab=config.vocab_size,
        act_fn="gelu_new",
        normalization_type="LN",
        eps=config.layer_norm_epsilon,
        device="cpu",
    )
    model = HookedTransformer(cfg, move_to_device=False)
    model.load_state_dict(convert_gpt2_weights(theirs, cfg), strict=False)
    del theirs
    own(model)

    def run(ids: Tensor) -> dict[str, float]:
        with torch.inference_mode():
            _, cache = model.run_with_cache(
                ids,
                names_filter=lambda name: name.endswith("hook_pattern"),
                stop_at_layer=layers,  # no language model head
            )
            found = [cache["pattern", layer][0] for layer in range(layers)]
            return over_layers([vectorized(pattern, ids[0]) for pattern in found])

    ids = tokens(length)
    run(ids[:, :8])
    return lambda: run(ids)
