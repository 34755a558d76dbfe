"""GGUF files become the model they were made from, or a sentence."""

import json
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.pretrained import tiny

from attnpipe.core.errors import UserError
from attnpipe.pretrained.gguf import convert_gguf
from attnpipe.pretrained.load import load_model

IDS = torch.tensor([[5, 80, 17, 300, 4, 4, 211, 9, 31, 120, 77, 300]])


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1, "num_hidden_layers": 1},
    ],
)
def test_float_file_gives_the_same_logits(tmp_path, changes):
    model = tiny.llama(**changes)
    path = tiny.write_gguf(tmp_path / "m.gguf", model)
    said = convert_gguf(path, tmp_path)
    assert said == {"licence": "mit", "quantisation": ["F32"]}
    converted = load_model(tmp_path, "causal_lm")
    assert (logits(converted) - logits(model)).abs().max() <= 1e-5
    assert logits(model).std() > 0.5  # else equality would say little


def test_order_of_rotated_rows_matters_to_the_logits(tmp_path):
    """Rows left as llama.cpp stores them give another model: the test above can fail."""
    model = tiny.llama()
    stored = tiny.gguf_tensors(model)
    state = model.state_dict()
    for i in range(2):
        for name, part in (("q_proj", "attn_q"), ("k_proj", "attn_k")):
            key = f"model.layers.{i}.self_attn.{name}.weight"
            state[key] = torch.from_numpy(stored[f"blk.{i}.{part}.weight"])
    wrong = tiny.llama()
    wrong.load_state_dict(state)
    assert (logits(wrong) - logits(model)).abs().max() > 0.1


def inverse(scale):
    return np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)


def q8_0(values):
    """Blocks of 32 along a row: half-precision scale times whole numbers up to 127."""
    blocks = values.reshape(-1, 32).astype(np.float32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    scaled = blocks * inverse(scale)
    whole = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    return (whole * scale.astype(np.float16).astype(np.float32)).reshape(values.shape)


def q4_1(values):
    """Blocks of 32 along a row: half-precision minimum plus scale times 0 … 15."""
    blocks = values.reshape(-1, 32).astype(np.float32)
    low, high = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    scale = (high - low) / np.float32(15)
    whole = np.trunc((blocks - low) * inverse(scale) + np.float32(0.5)).clip(0, 15)
    half = [part.astype(np.float16).astype(np.float32) for part in (scale, low)]
    return (whole * half[0] + half[1]).reshape(values.shape)


@pytest.mark.parametrize(("kind", "formula", "steps"), [("Q8_0", q8_0, 127), ("Q4_1", q4_1, 7)])
def test_quantised_files_are_multiplied_out(tmp_path, kind, formula, steps):
    model = tiny.llama()
    said = convert_gguf(tiny.write_gguf(tmp_path / "m.gguf", model, kind=kind), tmp_path)
    assert said["quantisation"] == ["F32", kind]
    stored = load_file(tmp_path / "model.safetensors")
    assert all(values.dtype == np.float32 for values in stored.values())
    for name, original in model.state_dict().items():
        if name == "lm_head.weight":  # tied
            continue
        expected = original.numpy() if original.ndim == 1 else formula(original.numpy())
        np.testing.assert_array_equal(stored[name], expected, err_msg=name)
        assert np.abs(expected - original.numpy()).max() <= np.abs(original.numpy()).max() / steps


@pytest.mark.parametrize("tied", [True, False])
def test_config_is_read_from_the_metadata(tmp_path, tied):
    model = tiny.llama(tie_word_embeddings=tied)
    convert_gguf(tiny.write_gguf(tmp_path / "m.gguf", model), tmp_path)
    config = load_model(tmp_path, "causal_lm").config
    expected = model.config
    for key in (
        *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("num_key_value_heads", "head_dim", "max_position_embeddings", "vocab_size"),
        *("rms_norm_eps", "tie_word_embeddings", "rope_parameters", "hidden_act"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "attention_bias"),
    ):
        assert getattr(config, key) == getattr(expected, key), key


def test_settings_of_the_tokenizer_keep_its_roles_and_template(tmp_path):
    convert_gguf(tiny.write_gguf(tmp_path / "m.gguf", tiny.llama()), tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["bos_token"] == "<|im_start|>"
    assert settings["eos_token"] == settings["pad_token"] == "<|im_end|>"
    assert settings["unk_token"] == "<|endoftext|>"
    assert settings["model_max_length"] == 128
    assert settings["chat_template"] == tiny.TEMPLATE


def test_file_cut_anywhere_is_refused(tmp_path):
    content = tiny.write_gguf(tmp_path / "m.gguf", tiny.llama()).read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in [0, 3, 8, 20, *range(24, len(content) - 1, len(content) // 20)]:
        cut.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"cut.gguf' is no whole GGUF file \(.+\); get the"):
            convert_gguf(cut, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"'.*absent.gguf' is missing"):
        convert_gguf(tmp_path / "absent.gguf", tmp_path)
    (tmp_path / "text.gguf").write_text("Once upon a time there was no magic number.")
    with pytest.raises(UserError, match="no whole GGUF file"):
        convert_gguf(tmp_path / "text.gguf", tmp_path)
    with pytest.raises(UserError, match="no whole GGUF file"):
        convert_gguf(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("key", "skipped", "said"),
    [
        (b"tokenizer.ggml.tokens", 8, "announces"),  # texts, each of some length
        (b"tokenizer.ggml.token_type", 8, "announces 4611686018427387904 more"),
        (b"blk.0.attn_q.weight", 4, "a tensor announces"),
        (b"tokenizer.chat_template", 4, "announces 1152921504606846976 more"),
    ],
)
def test_lengths_beyond_the_file_are_refused_before_they_are_believed(tmp_path, key, skipped, said):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.llama())
    content = bytearray(path.read_bytes())
    at = content.index(key) + len(key) + skipped
    content[at : at + 8] = (1 << 60).to_bytes(8, "little")
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(UserError, match=rf"m.gguf' is no whole GGUF file \(.*{said}.*\); get"):
        convert_gguf(path, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


QUERY = "blk.0.attn_q.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "mamba"}, "architecture 'mamba', but only 'llama' .*safetensors"),
        (
            {"fields": {"llama.rope.scaling.type": "yarn"}},
            "rope.scaling.type = yarn, but only none",
        ),
        ({"fields": {"llama.expert_count": 8}}, "llama.expert_count = 8, but only 0"),
        ({"fields": {"llama.rope.dimension_count": 8}}, "dimension_count = 8, but only 16"),
        ({"fields": {"llama.block_count": None}}, "no value for 'llama.block_count'"),
        ({"fields": {"llama.block_count": 0}}, "'0' for 'llama.block_count' instead of a whole"),
        ({"fields": {"llama.embedding_length": "x"}}, "'x' for 'llama.embedding_length'"),
        (
            {"fields": {"llama.attention.layer_norm_rms_epsilon": float("nan")}},
            "'nan' for 'llama.attention.layer_norm_rms_epsilon' instead of a number above 0",
        ),
        ({"fields": {"tokenizer.ggml.model": "llama"}}, "tokenizer of kind 'llama'.*tokenizer"),
        ({"fields": {"tokenizer.ggml.pre": "qwen2"}}, "pre-tokenizer 'qwen2'.*'smollm'"),
        ({"fields": {"tokenizer.ggml.tokens": None}}, "no value for 'tokenizer.ggml.tokens'"),
        ({"fields": {"tokenizer.ggml.merges": ["zz qq"]}}, "merges that do not fit its tokens"),
        ({"fields": {"tokenizer.ggml.token_type": [1, 1]}}, "320 differ and 2 have a type"),
        ({"fields": {"tokenizer.ggml.tokens": ["a"] * 320}}, "320 tokens, of which 1 differ"),
        (
            {"fields": {"tokenizer.ggml.bos_token_id": 999}},
            "'999' for 'tokenizer.ggml.bos_token_id' instead of one of 320 tokens",
        ),
        (
            {"tensors": {"rope_freqs.weight": np.ones(8)}},
            "tensor 'rope_freqs.weight', which no plain Llama has",
        ),
        (
            {"tensors": {"blk.0.attn_q.bias": np.ones(64)}},
            "tensor 'blk.0.attn_q.bias', which no plain Llama has",
        ),
        ({"tensors": {QUERY: np.ones((60, 64))}}, r"shape \(60, 64\), which does not hold 4 heads"),
    ],
)
def test_what_is_not_converted_is_named(tmp_path, change, message):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.llama(), **change)
    with pytest.raises(UserError, match=message) as caught:
        convert_gguf(path, tmp_path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "model.safetensors").exists()


def test_format_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.llama(), kind="Q8_0")
    content = path.read_bytes()
    # The number of Q8_0 (8) in a tensor's entry becomes that of Q8_K (15): same file, other kind.
    name = b"blk.1.ffn_down.weight"
    at = content.index(name) + len(name) + 4 + 16
    assert content[at : at + 4] == (8).to_bytes(4, "little")
    path.write_bytes(content[:at] + (15).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(UserError, match=r"no whole GGUF|quantised as Q8_K, which cannot be read"):
        convert_gguf(path, tmp_path)
