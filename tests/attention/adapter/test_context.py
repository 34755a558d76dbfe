"""What the context changes in a model, that it is undone, and what runs inside."""

import threading
from contextlib import suppress
from copy import deepcopy
from unittest import mock

import pytest
import torch
from benchmarks.architectures import batch, build
from benchmarks.comparing.observed import Kept, KeptScores, output
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from attnpipe.attention.adapter import capture, interface
from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.hooks import observing, on_samples, overriding
from attnpipe.attention.interventions import identity
from attnpipe.core.errors import UserError

NAMES = ["Llama", "Gemma 2", "T5", "ALBERT", "ViT"]


def state(model: PreTrainedModel) -> dict:
    """Return all of a model that the context touches."""
    return {
        "training": {name: m.training for name, m in model.named_modules()},
        "config": {
            name: deepcopy(vars(m.config))
            for name, m in model.named_modules()
            if isinstance(m, PreTrainedModel)
        },
        "hooks": {
            name: [dict(m._forward_pre_hooks), dict(m._forward_hooks)]
            for name, m in model.named_modules()
        },
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails", [False, True])
def test_model_is_afterwards_as_before(name: str, fails: bool) -> None:
    model = build(name, torch.float32).train()
    next(iter(model.children())).eval()
    before = state(model)
    with suppress(KeyError), adapted(model):
        assert model.config._attn_implementation == "attnpipe"
        assert not any(m.training for m in model.modules())
        if fails:
            raise KeyError
    assert state(model) == before


def test_a_failing_forward_pass_leaves_nothing_behind() -> None:
    model, inputs = build("T5", torch.float32), batch("T5")
    before = state(model)
    plain = output(model, inputs)
    kept = Kept()
    with adapted(model):
        with pytest.raises(KeyError), overriding(mock.Mock(side_effect=KeyError)):
            output(model, inputs)
        with observing(kept):
            assert torch.equal(output(model, inputs), plain)
    assert kept.blocks[5][0].samples.tolist() == [0, 1, 2]
    assert state(model) == before


def test_without_observers_sdpa_alone_is_called() -> None:
    model, inputs = build("Llama", torch.float32), batch("Llama")
    plain = output(model, inputs)
    with (
        adapted(model),
        mock.patch.object(capture, "_in_blocks", side_effect=AssertionError),
        mock.patch.object(
            interface, "sdpa_attention_forward", wraps=interface.sdpa_attention_forward
        ) as sdpa,
    ):
        assert torch.equal(output(model, inputs), plain)
    assert sdpa.call_count == 2


@pytest.mark.parametrize("name", ["Gemma 2", "Llama"])
def test_gradients_pass_as_without_the_context(name: str) -> None:
    model, inputs = build(name, torch.float64), batch(name, [0])
    model(**inputs)[0].square().mean().backward()
    want = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    for observer in (Kept(), KeptScores()):
        model.zero_grad()
        with adapted(model), observing(observer):
            model(**inputs)[0].square().mean().backward()
        for name_, parameter in model.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(parameter.grad, want[name_])


def test_overrides_pass_gradients() -> None:
    model, inputs = build("Llama", torch.float64), batch("Llama")
    with adapted(model), overriding(identity()):
        model(**inputs)[0].square().mean().backward()
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // 4)
        return out


class Sum:
    total = 0.0

    def observe(self, layer: int, block) -> None:
        self.total += float(block.weights.sum())


def test_no_matrix_of_all_weights_is_held() -> None:
    model, steps = build("Llama", torch.float32), 384
    ids = torch.arange(steps)[None] % 50 + 3
    seen, largest = Sum(), Largest()
    with torch.no_grad(), adapted(model, query_block=8), observing(seen), largest:
        model(input_ids=ids, logits_to_keep=1)
    assert seen.total == pytest.approx(2 * 4 * steps, rel=1e-5)
    assert 4 * 8 * steps <= largest.elements < steps**2 / 2


def test_samples_are_those_of_the_probe_set() -> None:
    model, kept = build("Llama", torch.float32), Kept()
    indices = torch.tensor([7, 5, 11])
    with adapted(model), observing(kept), on_samples(indices):
        output(model, batch("Llama", side="left"))
        with pytest.raises(ValueError, match="names 3 samples, the batch has 2"):
            output(model, batch("Llama", [0, 1]))
    seen = torch.cat([b.samples for b in kept.blocks[0]])
    assert sorted(seen.tolist()) == [5, 7, 11]
    positions = {int(b.samples[0]): int(b.key_positions[0]) for b in kept.blocks[0]}
    assert positions == {7: 0, 5: -3, 11: -5}


def test_a_fused_observer_may_make_the_output() -> None:
    class Fused(Kept):
        def attend(self, layer: int, scores) -> Tensor:
            rows = slice(0, scores.q.shape[2])
            return scores.context(scores.weights(rows)) * (2.0 if layer == 1 else 1.0)

    model, inputs, fused = build("Llama", torch.float32), batch("Llama", side="left"), Fused()
    plain = output(model, inputs)
    with adapted(model):
        with observing(fused):
            doubled = output(model, inputs)
        with overriding(lambda layer, block: block.weights * (1 + layer), normalize=False):
            want = output(model, inputs)
    assert fused.blocks == {}
    torch.testing.assert_close(doubled, want)
    assert not torch.allclose(doubled, plain)


def test_a_fused_observer_is_shown_blocks_where_weights_are_replaced() -> None:
    kept = KeptScores()
    model = build("Llama", torch.float32)
    with adapted(model), observing(kept), overriding(identity()):
        output(model, batch("Llama"))
    assert kept.scores == {}
    assert sorted(kept.blocks) == [0, 1]


def test_another_thread_is_told_to_enter_itself() -> None:
    model, inputs, told = build("Llama", torch.float32), batch("Llama"), []

    def run() -> None:
        try:
            output(model, inputs)
        except UserError as error:
            told.append(str(error))

    with adapted(model), observing(Kept()):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert len(told) == 1
    assert "outside the context of adapted()" in told[0]


def test_contexts_of_two_models_nest() -> None:
    one, other, kept = build("Llama", torch.float32), build("BERT", torch.float32), Kept()
    with adapted(one), observing(kept):
        with adapted(other):
            output(other, batch("BERT"))
        bidirectional = len(kept.blocks[0])
        output(one, batch("Llama"))
    assert not kept.blocks[0][bidirectional].support[0, 0, 1:].any()
    assert kept.blocks[0][0].support[0, 0].all()
