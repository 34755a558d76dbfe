"""The fused battery inside models: output, masks, gradients, overrides, batches, memory."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from benchmarks.architectures import ZOO, batch, build
from benchmarks.comparing.observed import output
from tests.attention.adapter.test_broken_masks import shifted
from tests.attention.kernel.reference import OPTIONS, Case, assert_alike, draw, make
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from attnpipe.attention.adapter.context import adapted
from attnpipe.attention.adapter.scores import Scores
from attnpipe.attention.hooks import observing, on_samples, overriding
from attnpipe.attention.interventions import identity, uniform
from attnpipe.attention.kernel.engine import Kind
from attnpipe.attention.kernel.fused import FusedBattery
from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.attention.observers import LayerFolds

KINDS: tuple[Kind, ...] = ("native", "array")
Layers = LayerFolds[StreamingBattery]
BIASED = ("T5",)


def plain() -> Layers:
    return LayerFolds(lambda layer: StreamingBattery(OPTIONS))


def assert_same_layers(got: Layers, want: Layers) -> None:
    assert sorted(got.folds) == sorted(want.folds) != []
    for layer, fold in got.folds.items():
        assert_alike(fold, want.folds[layer])


class Watched(FusedBattery):
    """Also tells which calls were fused."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(OPTIONS, kind)
        self.fused: list[bool] = []

    def attend(self, layer: int, scores: Scores) -> torch.Tensor | None:
        context = super().attend(layer, scores)
        self.fused.append(context is not None)
        return context


@pytest.mark.parametrize("name", ZOO)
def test_output_and_folds_are_the_models_own(name: str) -> None:
    model = build(name, torch.float32)
    single = [batch(name, [0])] if name == "GPT-2" else []  # without padding no mask is made
    for inputs in (batch(name, [0, 1], side="left"), *single):
        own, folds = output(model, inputs), plain()
        with adapted(model), observing(folds):
            output(model, inputs)
        for kind in KINDS:
            watched = Watched(kind)
            with adapted(model), observing(watched):
                made = output(model, inputs)
            torch.testing.assert_close(made, own, rtol=1e-5, atol=1e-5)
            assert_same_layers(watched, folds)
            assert watched.fused
            assert set(watched.fused) == {name not in BIASED}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_off_by_one_is_counted(kind: Kind) -> None:
    fused, model = FusedBattery(OPTIONS, kind), build("Llama", torch.float32)
    inputs = batch("Llama", [0])
    target = "transformers.models.llama.modeling_llama.create_causal_mask"
    with mock.patch(target, shifted(1)), adapted(model), observing(fused):
        output(model, inputs)
    steps = inputs["input_ids"].shape[1]
    validity = fused.folds[0].validity
    assert (validity.excluded("off_support") == steps - 1).all()
    assert (validity.valid == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_models_own(kind: Kind) -> None:
    inputs = batch("Llama", [0]) | {"use_cache": False}
    gradients = []
    for fused in (None, FusedBattery(OPTIONS, kind)):
        model = build("Llama", torch.float32)
        with adapted(model), observing(*([] if fused is None else [fused])):
            model(**inputs).logits.square().mean().backward()
        gradients.append([p.grad for p in model.parameters()])
        if fused is not None:
            assert (fused.folds[0].means.rows == 9).all()
    for got, want in zip(*gradients, strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize("kind", KINDS)
def test_replaced_weights_are_what_is_measured(kind: Kind) -> None:
    model, inputs = build("Llama", torch.float32), batch("Llama")
    for override in (uniform(), identity()):
        fused, folds = FusedBattery(OPTIONS, kind), plain()
        made = []
        for observer in (fused, folds):
            with adapted(model), observing(observer), overriding(override):
                made.append(output(model, inputs))
        assert torch.equal(*made)
        assert_same_layers(fused, folds)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_go_to_their_samples(kind: Kind) -> None:
    model, fused, folds = build("Llama", torch.float32), FusedBattery(OPTIONS, kind), plain()
    with adapted(model), observing(folds):
        output(model, batch("Llama", side="left"))
    with adapted(model), observing(fused):
        for texts in ([2], [0, 1]):
            with on_samples(torch.tensor(texts)):
                output(model, batch("Llama", texts))
    assert fused.folds[1].means.samples.tolist() == [0, 1, 2]
    for metric in folds.folds[1].means.metrics:
        got, want = (each.folds[1].means.means(metric).item_mean for each in (fused, folds))
        np.testing.assert_allclose(got, want, 1e-5, 1e-5)


class Largest(TorchDispatchMode):
    """Records the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self.elements = max(self.elements, leaf.untyped_storage().nbytes() // 4)
        return made


def largest(case: Case, kind: Kind) -> int:
    with Largest() as mode:
        FusedBattery(OPTIONS, kind).attend(0, case.scores)
    return mode.elements


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_queries_times_keys_is_made(kind: Kind) -> None:
    def causal(steps: int) -> Case:
        return make(draw(heads=1, kv_heads=1, queries=steps, keys=steps))

    rows = FusedBattery(OPTIONS, kind).engine.block_rows
    short, long = (largest(causal(steps), kind) for steps in (1000, 2000))
    assert rows * 2000 <= long < 1.3 * rows * 2000 < 2000**2 / 4
    assert long < 2.1 * short


def test_a_plain_pass_makes_more() -> None:
    case = make(draw(heads=1, kv_heads=1, queries=600, keys=600))
    case = replace(case, scores=replace(case.scores, bias=torch.zeros(1, 1, 600, 600)))
    assert largest(case, "array") >= 600**2
