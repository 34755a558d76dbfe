"""Overrides act in transformers' models through the same function."""

from unittest import mock

import pytest
import torch
from benchmarks.architectures import ZOO, batch, build
from benchmarks.comparing.observed import Kept, KeptScores, observe, output
from torch import Tensor

from attnpipe.attention.adapter import context
from attnpipe.attention.adapter.checks import check_overrides
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing, overriding
from attnpipe.attention.interventions import (
    beta_override,
    identity,
    last_step,
    local_window,
    uniform,
    value_norm,
    zero,
)
from attnpipe.core.errors import UserError

NAMES = list(ZOO)
NAMED = {"local_window": local_window(3), "last_step": last_step(), "value_norm": value_norm()}
FIRST = {"Llama": "model.layers.0.self_attn.o_proj", "GPT-2": "transformer.h.0.attn.c_proj"}
"""What takes the output of the first layer's attention; Llama's heads share values."""


@pytest.mark.parametrize("name", NAMES)
def test_replaced_weights_act_and_weights_replaced_by_themselves_do_not(name: str) -> None:
    check_overrides(build(name, torch.float32), batch(name))


@pytest.mark.parametrize("name", ["Llama", "Gemma 2", "BERT", "T5", "ViT"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_check_holds_in_other_precisions(name: str, dtype: str) -> None:
    check_overrides(build(name, getattr(torch, dtype)))


@pytest.mark.parametrize("query_block", [None, 2])
def test_stored_weights_give_the_output_back(query_block: int | None) -> None:
    model, inputs, kept = build("Llama"), batch("Llama"), Kept()
    plain, _ = observe(model, inputs, kept)
    stored = {layer: blocks[0].weights for layer, blocks in kept.blocks.items()}
    with adapted(model, query_block=query_block):
        with overriding(beta_override(stored)):
            torch.testing.assert_close(output(model, inputs), plain)
        with overriding(beta_override({1: stored[0]})):
            assert not torch.allclose(output(model, inputs), plain)


def test_an_override_of_the_last_layer_alone_is_the_mean_of_values() -> None:
    model, inputs = build("Llama"), batch("Llama", [0])
    values, contexts = [], []

    def of_last(layer: int, block) -> torch.Tensor | None:
        return uniform()(layer, block) if layer == 1 else None

    last = model.model.layers[1].self_attn
    hooks = [
        last.v_proj.register_forward_hook(lambda m, args, out: values.append(out)),
        last.o_proj.register_forward_pre_hook(lambda m, args: contexts.append(args[0])),
    ]
    with adapted(model):
        values.clear()
        contexts.clear()
        with overriding(of_last):
            output(model, inputs)
    for hook in hooks:
        hook.remove()
    value = values[0].unflatten(-1, (2, 8)).repeat_interleave(2, dim=2).flatten(2)
    steps = torch.arange(1, value.shape[1] + 1)[:, None]
    torch.testing.assert_close(contexts[0], value.cumsum(1) / steps)


def by_hand(intervention: str, weights: Tensor, norms: Tensor) -> Tensor:
    """Return causal weights ``[sample, head, query, key]`` replaced by their definition."""
    steps = torch.arange(weights.shape[-1])
    if intervention == "last_step":
        return torch.eye(len(steps), dtype=weights.dtype).expand_as(weights)
    factor = steps[:, None] - steps < 3 if intervention == "local_window" else norms[:, :, None]
    return weights * factor / (weights * factor).sum(-1, keepdim=True)


@pytest.mark.parametrize("query_block", [None, 2])
@pytest.mark.parametrize("intervention", NAMED)
@pytest.mark.parametrize("name", FIRST)
def test_named_interventions_act_as_they_are_defined(
    name: str, intervention: str, query_block: int | None
) -> None:
    model, inputs, plain, acted = build(name), batch(name), KeptScores(), Kept()
    observe(model, inputs, plain)
    shared = plain.scores[0].v
    values = shared.repeat_interleave(4 // shared.shape[1], dim=1)
    weights = plain.blocks[0][0].weights.transpose(0, 1)
    wanted = by_hand(intervention, weights, values.norm(dim=-1))
    context = (wanted @ values).transpose(1, 2).flatten(2)
    given: list[Tensor] = []
    taker = model.get_submodule(FIRST[name])
    with adapted(model, query_block=query_block), overriding(NAMED[intervention]), observing(acted):
        hook = taker.register_forward_pre_hook(lambda module, args: given.append(args[0]))
        output(model, inputs)
        hook.remove()
    seen = torch.cat([block.weights for block in acted.blocks[0]], dim=2).transpose(0, 1)
    for sample, real in enumerate(inputs["attention_mask"].bool()):
        torch.testing.assert_close(seen[sample][:, real], wanted[sample][:, real])
        torch.testing.assert_close(given[0][sample][real], context[sample][real])


def test_observers_see_the_weights_that_acted_in_left_padded_batches() -> None:
    model, inputs, kept = build("GPT-2"), batch("GPT-2", side="left"), Kept()
    with adapted(model), overriding(uniform()), observing(kept):
        output(model, inputs)
    for block in kept.blocks[1]:
        n = block.support.sum(-1, keepdim=True)
        torch.testing.assert_close(block.weights[0], block.support / n.clamp(min=1).double())


def test_real_tokens_do_not_feel_an_identity_in_a_left_padded_batch() -> None:
    model, inputs = build("T5"), batch("T5", side="left")
    plain = output(model, inputs)
    with adapted(model):
        with overriding(identity()):
            torch.testing.assert_close(output(model, inputs), plain)
        with overriding(zero(), normalize=False):
            assert not torch.allclose(output(model, inputs), plain, atol=1e-3)


def test_check_refuses_a_model_that_ignores_its_attention() -> None:
    model = build("Llama", torch.float32)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    with pytest.raises(UserError, match="replaced by zero change its output by only"):
        check_overrides(model)


def test_check_refuses_weights_that_are_not_the_models() -> None:
    model = build("Llama", torch.float32)
    real = context.describe

    def wrong(*args, **kwargs):
        scores, starts = real(*args, **kwargs)
        object.__setattr__(scores, "scale", scores.scale * 1.01)
        return scores, starts

    with (
        mock.patch.object(context, "describe", wrong),
        pytest.raises(UserError, match="replaced by themselves change its output"),
    ):
        check_overrides(model)


def test_check_names_a_checkpoint_with_nan() -> None:
    model = build("Llama", torch.float32)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match="output of LlamaForCausalLM is not finite"):
        check_overrides(model)
