"""Small models as published ones come: folders of Hugging Face and GGUF files."""

import json
from functools import lru_cache
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tests.text import vocabularies
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertConfig, BertForMaskedLM, BertModel, LlamaConfig, LlamaForCausalLM

from attnpipe.pretrained.conversion import SENTENCES

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"
PARTS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


@lru_cache
def tokenizer() -> Tokenizer:
    """Byte pairs, each digit alone, without a BOS: the kind that SmolLM2 has."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([*SENTENCES, "What is 27 plus 15? 1999"] * 3, trainer)
    return made


def llama(seed: int = 0, **changes) -> LlamaForCausalLM:
    """Return a Llama with random weights that are large enough to matter."""
    options = {
        "vocab_size": tokenizer().get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**(options | changes)))
    with torch.no_grad():  # norms of ones would hide a missing or swapped one
        for name, parameter in model.named_parameters():
            if "norm" in name:
                generator = torch.Generator().manual_seed(len(name))
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@lru_cache
def learned_llama() -> LlamaForCausalLM:
    """Return a Llama that knows the sentences of the check by heart."""
    model = llama(initializer_range=0.05).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    texts = [torch.tensor([tokenizer().encode(s).ids]) for s in SENTENCES]
    for _ in range(25):
        loss = sum(model(input_ids=ids, labels=ids).loss for ids in texts) / len(texts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1.0
    return model.eval()


def write_folder(folder: Path, model, made: Tokenizer | None = None) -> Path:
    """Write a model as save_pretrained does, with a tokenizer."""
    model.save_pretrained(folder)
    (made or tokenizer()).save(str(folder / "tokenizer.json"))
    settings = {"bos_token": SPECIAL[1], "model_max_length": 128}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def bert(kind=BertModel):
    """Return a small encoder whose vocabulary is that of `word_piece`."""
    config = BertConfig(
        vocab_size=vocabularies.word_piece().get_vocab_size(),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return kind(config).eval()


def write_bert(folder: Path, kind=BertModel) -> Path:
    return write_folder(folder, bert(kind), vocabularies.word_piece())


def write_masked_bert(folder: Path) -> Path:
    return write_bert(folder, BertForMaskedLM)


def edit_weights(folder: Path, change) -> None:
    """Let `change` edit the dict of tensors of a folder."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def edit_json(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Return rows as llama.cpp stores them: row 2i + j of a head was row i + j * width / 2."""
    width = weight.shape[0] // heads
    head = [i + j * (width // 2) for i in range(width // 2) for j in (0, 1)]
    return weight[[h * width + row for h in range(heads) for row in head]]


def gguf_tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """Return a model's weights by their names in GGUF."""
    config, state = model.config, {k: v.numpy() for k, v in model.state_dict().items()}
    named = {
        "token_embd": state["model.embed_tokens.weight"],
        "output_norm": state["model.norm.weight"],
    }
    if not config.tie_word_embeddings:
        named["output"] = state["lm_head.weight"]
    for i in range(config.num_hidden_layers):
        for part, name in PARTS.items():
            named[f"blk.{i}.{part}"] = state[f"model.layers.{i}.{name}.weight"]
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
        for part, count in heads.items():
            named[f"blk.{i}.{part}"] = permuted(named[f"blk.{i}.{part}"], count)
    return {f"{name}.weight": values for name, values in named.items()}


def gguf_fields(model: LlamaForCausalLM) -> dict[str, object]:
    """Return a model's metadata and those of its tokenizer by their keys in GGUF."""
    config, document = model.config, json.loads(tokenizer().to_str())
    tokens = sorted(tokenizer().get_vocab(), key=tokenizer().get_vocab().get)
    return {
        "general.license": "mit",
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.rope.freq_base": config.rope_parameters["rope_theta"],
        "llama.rope.dimension_count": config.hidden_size // config.num_attention_heads,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in SPECIAL else 1 for token in tokens],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in document["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def write_gguf(
    path: Path,
    model: LlamaForCausalLM,
    *,
    architecture: str = "llama",
    kind: str = "F32",
    fields: dict[str, object] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a GGUF file; `fields` replace metadata (None: left out), `tensors` add to them.

    Matrices are stored as `kind`, vectors as F32, as llama.cpp does.
    """
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (gguf_fields(model) | (fields or {})).items():
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case float():
                writer.add_float32(key, value)
            case str():
                writer.add_string(key, value)
            case list():
                writer.add_array(key, value)
    stored = gguf.GGMLQuantizationType[kind]
    for name, values in (gguf_tensors(model) | (tensors or {})).items():
        if values.ndim == 2 and kind != "F32":
            writer.add_tensor(name, gguf.quants.quantize(values, stored), raw_dtype=stored)
        else:
            writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
