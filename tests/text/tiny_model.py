"""A tiny language model in a local folder, with random weights and a real tokenizer."""

from pathlib import Path

import torch
from tests.text.vocabularies import byte_level
from transformers import LlamaConfig, LlamaForCausalLM


def save_tiny_llama(folder: Path, positions: int = 256) -> LlamaForCausalLM:
    """Write the model as transformers does, and return it."""
    torch.manual_seed(0)
    tokenizer = byte_level()
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config).eval()
    for parameter in model.parameters():  # random weights of usual size attend almost evenly
        parameter.data *= 4
    model.save_pretrained(folder, max_shard_size="1GB")
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    (folder / "tokenizer_config.json").write_text("{}")
    return model
