"""Which sites a model has, and which models are refused before anything is observed."""

import pytest
import torch
import transformers
from benchmarks.architectures import VOCABULARY, ZOO, batch, build
from benchmarks.comparing.observed import Kept
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from attnpipe.attention.adapter.context import adapted, sites
from attnpipe.attention.hooks import observing
from attnpipe.core.errors import UserError


def listed(name: str) -> list[tuple[str, str, int]]:
    found = sites(build(name, torch.float32))
    assert [site.index for site in found] == list(range(len(found)))
    return [(site.name, site.kind, site.layer) for site in found]


def test_decoder() -> None:
    assert listed("Llama") == [(f"model.layers.{i}.self_attn", "self", i) for i in (0, 1)]


@pytest.mark.parametrize(
    ("name", "encoder", "own", "cross"),
    [
        (
            "T5",
            "encoder.block.{}.layer.0.SelfAttention",
            "decoder.block.{}.layer.0.SelfAttention",
            "decoder.block.{}.layer.1.EncDecAttention",
        ),
        (
            "BART",
            "model.encoder.layers.{}.self_attn",
            "model.decoder.layers.{}.self_attn",
            "model.decoder.layers.{}.encoder_attn",
        ),
    ],
)
def test_encoder_decoder_in_the_order_of_execution(
    name: str, encoder: str, own: str, cross: str
) -> None:
    want = [(encoder.format(i), "self", i) for i in (0, 1)]
    for i in (0, 1):
        want += [(own.format(i), "self", i), (cross.format(i), "cross", i)]
    assert listed(name) == want


def test_a_shared_module_has_a_site_per_call() -> None:
    module = "encoder.albert_layer_groups.0.albert_layers.0.attention"
    assert listed("ALBERT") == [(module, "self", 0), (module, "self", 1)]


def test_cross_attention_added_to_a_decoder_is_found_by_what_it_is_given() -> None:
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_layer=1, n_head=2, n_positions=16
    )
    config.add_cross_attention = True
    model = transformers.GPT2LMHeadModel(config)
    encoded = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": torch.arange(4)[None], "encoder_hidden_states": encoded}
    assert [site.kind for site in sites(model, inputs)] == ["self", "cross"]


def test_layers_after_the_first_of_a_shared_module_must_be_known() -> None:
    config = ZOO["ALBERT"].config
    model = transformers.AlbertModel(transformers.AlbertConfig(**config)).eval()
    with adapted(model):
        model.config.num_hidden_layers = 3
        with pytest.raises(UserError, match="more often than on the inputs"):
            model(**batch("ALBERT"))


class Stubborn(PreTrainedModel):
    """Multiplies queries and keys by itself."""

    config_class = PreTrainedConfig
    main_input_name = "input_ids"

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.embed = nn.Embedding(VOCABULARY, 8)
        self.attend = OwnAttention()
        self.post_init()

    def forward(self, input_ids: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.attend(self.embed(input_ids)),)


class OwnAttention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ x.transpose(1, 2)).softmax(-1) @ x


def refused(model: nn.Module, message: str, inputs: dict | None = None) -> None:
    kept = Kept()
    with observing(kept), pytest.raises(UserError, match=message), adapted(model, inputs=inputs):
        raise AssertionError("not refused")
    assert kept.blocks == {}


def test_own_attention_is_refused() -> None:
    config = PreTrainedConfig(vocab_size=VOCABULARY)
    refused(
        Stubborn(config), "Stubborn cannot be observed: OwnAttention does not go through transf"
    )


def test_own_attention_in_one_layer_is_refused() -> None:
    model = build("Llama", torch.float32)
    inner = model.model.layers[1].mlp
    model.model.layers[1].mlp = nn.Sequential(inner, OwnAttention())
    refused(model, "OwnAttention does not go through")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("XLNetModel", {"d_model": 16, "d_inner": 16, "n_layer": 1, "n_head": 2}),
        ("BloomModel", {"hidden_size": 16, "n_layer": 1, "n_head": 2}),
    ],
)
def test_real_models_of_another_kind_are_refused(name: str, sizes: dict[str, int]) -> None:
    cls = getattr(transformers, name)
    refused(cls(cls.config_class(vocab_size=VOCABULARY, **sizes)), "does not go through")


def test_weights_that_are_more_than_a_softmax_are_refused() -> None:
    config = transformers.GptOssConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_local_experts=2,
        num_experts_per_tok=1,
    )
    model = transformers.GptOssForCausalLM(config).eval()
    refused(model, "GptOssAttention is more than a softmax")


def test_other_classes_are_refused() -> None:
    refused(nn.Linear(1, 1), "Linear is no transformers.PreTrainedModel")


def test_models_that_read_something_unknown_need_inputs() -> None:
    class Strange(Stubborn):
        main_input_name = "smells"

    refused(Strange(PreTrainedConfig(vocab_size=VOCABULARY)), "reads 'smells'.*pass inputs")
