"""The attention-only transformer and its arms, against plain formulas in float64."""

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from attnpipe.attention.hooks import observing
from attnpipe.models.build import build_model, count_parameters
from attnpipe.schema.arms import derive_arms
from attnpipe.schema.model import ModelSpec

WORDS, WINDOW = 7, 9


def spec_of(attention="self", **changes):
    given = {"kind": "transformer", "label": "t", "width": 12, "layers": 2, "heads": 3}
    given |= {"attention": attention and {"kind": attention}}
    return TypeAdapter(ModelSpec).validate_python(given | changes)


def model_of(attention="self", seed=0, **changes):
    return build_model(spec_of(attention, **changes), WORDS, WINDOW, seed=seed).double().eval()


def tokens(samples=4, seed=0):
    return torch.randint(WORDS, (samples, WINDOW), generator=torch.Generator().manual_seed(seed))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_hand(model, ids, logits_of):
    """The forward pass with loops over samples and heads."""
    w = {n: p.detach().numpy() for n, p in model.named_parameters()}
    out = []
    for row in ids.numpy():
        h = w["embed.weight"][row]
        for layer in range(len(model.layers)):
            at = f"layers.{layer}."
            added = np.zeros_like(h)
            for head in range(3):
                dims = slice(4 * head, 4 * head + 4)
                logits = logits_of(w, at, h, head, dims)
                a = softmax(np.where(np.tri(len(row), dtype=bool), logits, -np.inf))
                values = h @ w[at + "value.weight"].T[:, dims]
                added += (a @ values) @ w[at + "out.weight"].T[dims]
            h = h + added
        out.append(h @ w["readout.weight"].T)
    return np.stack(out)


def self_logits(w, at, h, head, dims):
    placed = h + w[at + "position"][: len(h)]
    q, k = (placed @ w[at + f"{n}.weight"].T[:, dims] for n in ("query", "key"))
    return q @ k.T / 2.0


def test_self_attention_is_the_plain_formula() -> None:
    model, ids = model_of(), tokens()
    expected = by_hand(model, ids, self_logits)
    assert np.allclose(model(ids).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["uniform", "static"])
def test_fixed_weights_are_the_plain_formula(kind: str) -> None:
    model, ids = model_of(kind), tokens()
    if kind == "static":
        for layer in model.layers:
            torch.nn.init.normal_(layer.position, generator=torch.Generator().manual_seed(3))

    def logits(w, at, h, head, dims):
        return w[at + "position"][head] if kind == "static" else np.zeros((WINDOW, WINDOW))

    expected = by_hand(model, ids, logits)
    assert np.allclose(model(ids).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["self", "uniform", "static", None])
def test_the_future_is_not_seen(kind) -> None:
    model, ids = model_of(kind), tokens()
    changed = ids.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % WORDS
    assert torch.equal(model(ids)[:, :5], model(changed)[:, :5])


def test_without_attention_only_the_present_token_counts() -> None:
    model, ids = model_of(None), tokens()
    assert torch.equal(model(ids)[:, 3], model(ids[:, 3:4])[:, 0])


def test_tokens_keep_their_positions_when_others_are_removed() -> None:
    model, ids = model_of(layers=1), tokens()
    kept = torch.tensor([0, 2, 5, 8])
    short = model(ids[:, kept], kept[None])
    assert not torch.allclose(short, model(ids[:, kept]))
    # one layer: a token that nobody may see is the same as one that is not there
    from attnpipe.attention.hooks import overriding

    present = torch.zeros(WINDOW, dtype=torch.bool)
    present[kept] = True
    with overriding(lambda layer, block: block.weights * present + 1e-300):
        masked = model(ids)[:, kept]
    assert torch.allclose(short, masked, rtol=0, atol=1e-12)


def test_observers_see_every_head_of_every_layer_with_causal_support() -> None:
    seen = {}

    class Look:
        def observe(self, layer, block):
            seen[layer] = block

    with observing(Look()):
        model_of()(tokens())
    assert sorted(seen) == [0, 1]
    for block in seen.values():
        assert block.weights.shape == (3, 4, WINDOW, WINDOW)
        assert torch.equal(block.support[0], torch.ones(WINDOW, WINDOW).tril().bool())
        assert torch.allclose(block.weights.sum(-1), torch.ones(()).double())


def test_arms_have_the_same_embedding_and_readout_at_a_seed() -> None:
    base = dict(model_of(seed=4).named_parameters())
    for kind in ("uniform", "static", None):
        for name, weights in model_of(kind, seed=4).named_parameters():
            if not name.startswith("layers."):
                assert torch.equal(weights, base[name]), (kind, name)


def test_arms_are_derived_and_those_of_two_models_without_attention_are_one() -> None:
    arms = ["none", "uniform", "static"]
    found = derive_arms({
        "two": spec_of(label="two", arms=arms), "one": spec_of(label="one", layers=1, arms=arms),
    })  # fmt: skip
    assert found.of["two"]["uniform"] != found.of["one"]["uniform"]
    assert len(found.derived) == 6
    assert count_parameters(spec_of("uniform"), WORDS, WINDOW) < count_parameters(
        spec_of("self"), WORDS, WINDOW
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 5}, "width is 12, which 5 heads cannot share"),
        ({"attention": {"kind": "simple"}}, "attention.kind is 'simple'.*self, uniform, static"),
        ({"kind": "reader", "layers": None}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec_of(**changes) if "attention" not in changes else TypeAdapter(
            ModelSpec
        ).validate_python({"kind": "transformer", "label": "t"} | changes)


def test_pooling_models_refuse_attention_between_tokens() -> None:
    with pytest.raises(ValidationError, match=r"attention\.kind is 'self'"):
        TypeAdapter(ModelSpec).validate_python(
            {"kind": "reader", "label": "r", "attention": {"kind": "self"}}
        )
