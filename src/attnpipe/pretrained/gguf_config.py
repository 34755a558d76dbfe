"""The config of a Llama from the metadata of its GGUF file."""

from typing import Any

from attnpipe.core.errors import UserError
from attnpipe.pretrained.gguf_metadata import INSTEAD, Metadata


def llama_config(metadata: Metadata, *, tied: bool) -> dict[str, Any]:
    """Return the config of a `LlamaForCausalLM`.

    Parameters
    ----------
    metadata
        Of the GGUF file.
    tied
        Whether the embeddings are the output weights, too.

    Raises
    ------
    UserError
        Another architecture, a missing key, or a variant whose computation differs.
    """
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise UserError(
            f"'{metadata.path}' has architecture '{kind}', but only 'llama' is converted from "
            f"GGUF; {INSTEAD}"
        )
    hidden = metadata.count("llama.embedding_length")
    heads = metadata.count("llama.attention.head_count")
    width = metadata.count("llama.attention.key_length", hidden // heads)
    _refuse_variants(metadata, width)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": metadata.count("llama.feed_forward_length"),
        "num_hidden_layers": metadata.count("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.count("llama.attention.head_count_kv", heads),
        "head_dim": width,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "max_position_embeddings": metadata.count("llama.context_length"),
        "rms_norm_eps": metadata.decimal("llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": metadata.decimal("llama.rope.freq_base", 10000.0),
        },
        "tie_word_embeddings": tied,
        "vocab_size": len(metadata.texts("tokenizer.ggml.tokens")),
        "bos_token_id": metadata.token_id("bos"),
        "eos_token_id": metadata.token_id("eos"),
        "pad_token_id": metadata.token_id("padding"),
    }


def _refuse_variants(metadata: Metadata, width: int) -> None:
    plain = {
        "llama.rope.scaling.type": "none",
        "llama.expert_count": 0,
        "llama.rope.dimension_count": width,
        "llama.attention.value_length": width,
    }
    for key, expected in plain.items():
        found = metadata.get(key)
        if found not in (None, expected):
            raise UserError(
                f"'{metadata.path}' has {key} = {found}, but only {expected} is converted from "
                f"GGUF; {INSTEAD}"
            )
