"""Arms: what they compute, which of them are one run, how they are named."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from attnpipe.models.build import build_model
from attnpipe.schema.arms import computed, derive_arms
from attnpipe.schema.model import ModelSpec

ARMS = ["none", "uniform", "static"]


def lstm(attention=None, arms=(), hidden=6, label="m"):
    spec = {"kind": "lstm", "label": label, "hidden": hidden, "layers": 1, "arms": list(arms)}
    if attention:
        size = {"size": 4} if attention == "additive" else {}
        spec |= {"baseline": "plain", "attention": {"kind": attention} | size}
    return TypeAdapter(ModelSpec).validate_python(spec)


def study():
    return {
        "plain": lstm(label="plain"),
        "simple": lstm("simple", ARMS, label="simple"),
        "dot": lstm("scaled_dot", ARMS, label="dot"),
        "additive": lstm("additive", ARMS, label="additive"),
        "small": lstm("simple", ["none"], hidden=3, label="small"),
    }


def test_the_same_computation_is_one_run() -> None:
    arms = derive_arms(study())
    assert arms.of["simple"]["none"] == "plain"  # the named baseline itself
    assert arms.of["simple"] == arms.of["dot"]
    assert arms.of["additive"]["uniform"] != arms.of["simple"]["uniform"]  # a sum, not a mean
    assert arms.of["small"]["none"] in arms.derived  # no model of that size without attention
    assert len(arms.derived) == 5


def test_names_do_not_depend_on_the_other_models() -> None:
    models = study()
    before = derive_arms(models)
    del models["simple"]
    assert derive_arms(models).of["dot"] == before.of["dot"]


def test_labels_say_whose_arm_it_is() -> None:
    arms = derive_arms(study())
    label = arms.derived[arms.of["dot"]["uniform"]].label
    assert label == "R1: uniform weights in simple and dot"


def test_label_baseline_and_arms_are_no_part_of_what_is_computed() -> None:
    assert computed(lstm("simple", ARMS)) == computed(lstm("simple", label="another"))


def test_shuffled_labels_are_a_model_of_their_own_that_no_gate_asks_for() -> None:
    models = study() | {"dot": lstm("scaled_dot", [*ARMS, "shuffled_labels"], label="dot")}
    before, arms = derive_arms(study()), derive_arms(models)
    run = arms.of["dot"]["shuffled_labels"]
    assert arms.label_nulls == {"dot": run}
    assert arms.deciding == before.of
    assert set(arms.derived) == {*before.derived, run}
    variant = arms.derived[run]
    assert variant.label == "L0: shuffled labels in dot"
    assert computed(variant) == computed(models["dot"]) | {"shuffled_labels": True}
    assert variant.attention == models["dot"].attention


@pytest.mark.parametrize(
    ("spec", "said"),
    [(lambda: lstm(arms=["none"]), "has none"),
     (lambda: lstm("simple", ["none", "none"]), "listed twice")],
)  # fmt: skip
def test_impossible_arms_are_refused(spec, said) -> None:
    with pytest.raises(ValidationError, match=said):
        spec()


@pytest.mark.parametrize("of", ["simple", "scaled_dot", "additive"])
def test_uniform_and_untrained_static_arms_average_the_hidden_states(of: str) -> None:
    models = {"plain": lstm(), "m": lstm(of, ARMS, label="x")}
    arms = derive_arms(models)
    windows = torch.randn(5, 9, 2, generator=torch.Generator().manual_seed(0))
    for arm in ("uniform", "static"):
        module = build_model(arms.derived[arms.of["m"][arm]], 2, 9, seed=3)
        hidden, _ = module.lstm(windows)
        pooled = hidden.mean(1) * (9 if of == "additive" else 1)
        torch.testing.assert_close(module(windows), module.readout(pooled).squeeze(-1))


def test_static_weights_are_the_softmax_of_what_is_learned() -> None:
    models = {"plain": lstm(), "m": lstm("simple", ARMS, label="x")}
    arms = derive_arms(models)
    module = build_model(arms.derived[arms.of["m"]["static"]], 2, 9, seed=3)
    logits = torch.linspace(-2, 1, 9)
    module.attention.position.data.copy_(logits)
    windows = torch.randn(5, 9, 2, generator=torch.Generator().manual_seed(0))
    hidden, _ = module.lstm(windows)
    pooled = (logits.softmax(0)[:, None] * hidden).sum(1)
    torch.testing.assert_close(module(windows), module.readout(pooled).squeeze(-1))


def test_an_arm_starts_from_the_weights_of_its_model() -> None:
    models = {"plain": lstm(), "m": lstm("additive", ARMS, label="x")}
    arms = derive_arms(models)
    model = build_model(models["m"], 2, 9, seed=3).state_dict()
    for arm in ARMS:
        spec = {**models, **arms.derived}[arms.of["m"][arm]]
        for name, weights in build_model(spec, 2, 9, seed=3).state_dict().items():
            if not name.startswith("attention."):
                assert torch.equal(weights, model[name]), name
