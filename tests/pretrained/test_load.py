"""Loading: strict, local, silent, without a trace; random weights on request."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled
from huggingface_hub.utils import logging as hub_logging
from tests.pretrained import tiny
from transformers import BertForMaskedLM, BertModel
from transformers.utils import logging

from attnpipe.core.errors import UserError
from attnpipe.pretrained.load import load_model

IDS = torch.tensor([[3, 14, 15, 92, 65]])


@pytest.fixture
def llama(tmp_path):
    return tiny.write_folder(tmp_path / "llama", tiny.llama())


@pytest.fixture
def bert(tmp_path):
    return tiny.write_bert(tmp_path / "bert")


def test_stored_weights_give_the_stored_model(llama):
    model, original = load_model(llama, "causal_lm"), tiny.llama()
    torch.testing.assert_close(model(input_ids=IDS).logits, original(input_ids=IDS).logits)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("untrained_seed", [None, 0])
def test_model_computes_in_the_format_asked_for(llama, dtype, untrained_seed):
    model = load_model(llama, "causal_lm", dtype, untrained_seed=untrained_seed)
    assert {str(p.dtype) for p in model.parameters()} == {f"torch.{dtype}"}
    assert str(model(input_ids=IDS).logits.dtype) == f"torch.{dtype}"


def test_encoder_is_bare_whatever_head_the_file_has(tmp_path, bert):
    ids = torch.tensor([[1, 5, 9, 2]])
    masked = tiny.write_masked_bert(tmp_path / "masked")
    for folder, kind in ((bert, BertModel), (masked, BertForMaskedLM)):
        model = load_model(folder, "encoder")
        assert type(model) is BertModel
        original = tiny.bert(kind).base_model
        with torch.no_grad():
            expected = original(input_ids=ids).last_hidden_state
        torch.testing.assert_close(model(input_ids=ids).last_hidden_state, expected)


def test_untrained_model_is_drawn_from_its_seed_alone(llama):
    torch.manual_seed(5)
    one = load_model(llama, "causal_lm", untrained_seed=1).state_dict()
    torch.manual_seed(6)
    again = load_model(llama, "causal_lm", untrained_seed=1).state_dict()
    other = load_model(llama, "causal_lm", untrained_seed=2).state_dict()
    stored = load_model(llama, "causal_lm").state_dict()
    query = "model.layers.0.self_attn.q_proj.weight"
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one[query], other[query])
    assert not torch.equal(one[query], stored[query])
    assert one[query].shape == stored[query].shape
    assert one[query].std().item() == pytest.approx(0.2, rel=0.05)  # initializer_range


def test_untrained_model_reads_no_weights(llama):
    (llama / "model.safetensors").unlink()
    assert load_model(llama, "causal_lm", untrained_seed=0)(input_ids=IDS).logits.isfinite().all()


def state_of_the_process():
    return (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        hub_logging.get_verbosity(),
        are_progress_bars_disabled(),
        torch.get_default_dtype(),
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )


@pytest.mark.parametrize("verbosity", [logging.INFO, logging.ERROR])
@pytest.mark.parametrize("bars", [True, False])
def test_loading_is_silent_and_leaves_no_trace(llama, capfd, verbosity, bars):
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity(verbosity)
        (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
        state = state_of_the_process()
        load_model(llama, "causal_lm")
        load_model(llama, "causal_lm", untrained_seed=3)
        tiny.edit_weights(llama, lambda tensors: tensors.pop("model.norm.weight"))
        with pytest.raises(UserError):
            load_model(llama, "causal_lm")
        assert state_of_the_process() == state
    finally:
        logging.set_verbosity(before[0])
        (logging.enable_progress_bar if before[1] else logging.disable_progress_bar)()
    assert capfd.readouterr() == ("", "")


def test_network_is_not_touched(llama, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_model(llama, "causal_lm")


def test_code_beside_the_model_is_not_run(llama, tmp_path):
    marker = tmp_path / "was_run"
    (llama / "evil.py").write_text(
        f"open({str(marker)!r}, 'w')\nfrom transformers import LlamaForCausalLM as Model\n"
    )
    tiny.edit_json(
        llama / "config.json",
        auto_map={"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"},
        _attn_implementation="someone/kernel",
        transformers_weights="../elsewhere.safetensors",
    )
    model = load_model(llama, "causal_lm")
    assert type(model) is transformers.LlamaForCausalLM
    assert model.config._attn_implementation == "sdpa"
    assert not marker.exists()


def remove(name):
    return lambda folder: tiny.edit_weights(folder, lambda tensors: tensors.pop(name))


def put(name, value):
    return lambda folder: tiny.edit_weights(folder, lambda tensors: tensors.update({name: value}))


def poison(value):
    def change(tensors):
        tensors["model.norm.weight"][3] = value

    return lambda folder: tiny.edit_weights(folder, change)


def config(**values):
    return lambda folder: tiny.edit_json(folder / "config.json", **values)


def overwrite(name, content):
    return lambda folder: (folder / name).write_bytes(content)


FAULTS = [
    (poison(float("nan")), "tensor 'model.norm.weight' in '.*model.safetensors' holds 1 values"),
    (poison(float("inf")), "tensor 'model.norm.weight' in '.*model.safetensors' holds 1 values"),
    (
        remove("model.layers.1.mlp.up_proj.weight"),
        "'model.layers.1.mlp.up_proj.weight' of LlamaForCausalLM is missing in '.*safetensors'",
    ),
    (
        put("model.extra.weight", torch.ones(3)),
        "'model.extra.weight' in '.*' belongs to no part of LlamaForCausalLM",
    ),
    (
        put("model.norm.weight", torch.ones(63)),
        r"'model.norm.weight' in '.*' has shape \(63,\) instead of \(64,\)",
    ),
    (config(num_hidden_layers=3), "'model.layers.2.* is missing"),
    (config(num_hidden_layers=1), "'model.layers.1.* belongs to no part"),
    (config(model_type="martian"), "config.json' has model_type 'martian', which transformers"),
    (config(model_type=None), "has model_type 'None', which transformers .* does not know"),
    (config(hidden_size="wide"), "config.json' is no valid config of a 'llama' model"),
    (config(architectures=["LlamaForSequenceClassification"]), "'LlamaForSequenceClassification'"),
    (config(architectures=["os"]), "says architectures 'os', but task 'causal_lm' needs a decoder"),
    (config(quantization_config={"bits": 4}), "the weights are quantised"),
    (overwrite("config.json", b"{"), "cannot read '.*config.json' as JSON"),
    (overwrite("config.json", b"[]"), "config.json' holds no JSON object"),
    (overwrite("model.safetensors", b"no header"), "cannot read '.*safetensors' as safetensors"),
    (lambda f: (f / "model.safetensors").unlink(), "model.safetensors' is missing; only"),
]


@pytest.mark.parametrize(("damage", "message"), FAULTS, ids=[m for _, m in FAULTS])
def test_faulty_folders_are_named(llama, damage, message):
    damage(llama)
    with pytest.raises(UserError, match=message) as caught:
        load_model(llama, "causal_lm")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "architectures", "task", "message"),
    [
        (
            "bert",
            ["BertModel"],
            "causal_lm",
            "'BertModel'.* needs a decoder.*to 'encoder'",
        ),
        ("bert", None, "causal_lm", "model_type 'bert'.* needs a decoder.*set task to 'encoder'"),
        ("bert", ["BertForMaskedLM"], "causal_lm", "'BertForMaskedLM', but task 'causal_lm'"),
        (
            "llama",
            ["LlamaForCausalLM"],
            "encoder",
            "needs a bidirectional .*to 'causal_lm'",
        ),
        ("llama", ["LlamaModel"], "encoder", "'LlamaModel', but task 'encoder' .*choose another"),
        (
            "t5",
            ["T5ForConditionalGeneration"],
            "encoder",
            "'T5ForConditional.*choose another",
        ),
        ("bart", ["BartForConditionalGeneration"], "causal_lm", "needs a decoder.*choose another"),
        ("vit", ["ViTModel"], "encoder", "'ViTModel', but task 'encoder'.*choose another model"),
    ],
)
def test_models_for_another_task_are_refused(tmp_path, kind, architectures, task, message):
    document = {"model_type": kind, "architectures": architectures}
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=message):
        load_model(tmp_path, task)


def test_config_without_architectures_takes_the_usual_class(llama, bert):
    for folder, task in ((llama, "causal_lm"), (bert, "encoder")):
        tiny.edit_json(Path(folder) / "config.json", architectures=None)
        load_model(folder, task)
