"""Observers and overrides: when they act, on what, and what they may not do."""

import threading

import pytest
import torch

from attnpipe.attention.attend import attend
from attnpipe.attention.hooks import Hooks, current_hooks, observing, on_samples, overriding
from attnpipe.attention.observers import LayerFolds
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.core.errors import UserError

SAMPLES, HEADS, STEPS, DIM = 3, 2, 4, 5
CAUSAL = torch.ones(STEPS, STEPS, dtype=torch.bool).tril()[None, None]


class Seen:
    def __init__(self) -> None:
        self.blocks: list = []

    def observe(self, layer: int, block) -> None:
        self.blocks.append((layer, block))


@pytest.fixture
def qkv() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(SAMPLES, HEADS, STEPS, DIM, generator=generator) for _ in range(3)]


def run(qkv: list[torch.Tensor], support: torch.Tensor = CAUSAL, layer: int = 0, **kwargs):
    q, k, v = qkv
    steps = torch.arange(STEPS)
    return attend(
        scaled_dot_scores(q, k),
        v,
        support,
        query_positions=steps,
        key_positions=steps,
        layer=layer,
        **kwargs,
    )


def uniform(layer: int, block) -> torch.Tensor:
    return torch.ones_like(block.weights)


def test_uniform_override_averages_over_the_support_only(qkv: list[torch.Tensor]) -> None:
    with overriding(uniform):
        got = run(qkv)
    want = torch.stack([qkv[2][:, :, : i + 1].mean(2) for i in range(STEPS)], 2)
    torch.testing.assert_close(got, want)


def test_observers_see_the_weights_that_acted(qkv: list[torch.Tensor]) -> None:
    seen = Seen()
    with observing(seen), overriding(uniform):
        run(qkv)
    (layer, block), *_ = seen.blocks
    assert layer == 0
    rows = torch.tril(torch.ones(STEPS, STEPS)) / torch.arange(1, STEPS + 1)[:, None]
    torch.testing.assert_close(block.weights, rows.expand(HEADS, SAMPLES, STEPS, STEPS))


def test_override_may_leave_layers_alone(qkv: list[torch.Tensor]) -> None:
    def only_second(layer: int, block) -> torch.Tensor | None:
        return uniform(layer, block) if layer == 1 else None

    plain = run(qkv)
    with overriding(only_second):
        assert torch.equal(run(qkv, layer=0), plain)
        assert not torch.allclose(run(qkv, layer=1), plain)


@pytest.mark.parametrize("query_block", [None, 1, 3])
def test_override_finds_its_rows_by_position_and_sample(
    qkv: list[torch.Tensor], query_block: int | None
) -> None:
    generator = torch.Generator().manual_seed(1)
    stored = torch.rand(HEADS, 20, STEPS, STEPS, generator=generator) * CAUSAL[0]
    stored /= stored.sum(-1, keepdim=True)
    samples = torch.tensor([17, 2, 9])

    def from_store(layer: int, block) -> torch.Tensor:
        return stored[:, block.samples][:, :, block.query_positions]

    with on_samples(samples), overriding(from_store):
        got = run(qkv, query_block=query_block)
    want = torch.einsum("hsqk,shkd->shqd", stored[:, samples], qkv[2])
    torch.testing.assert_close(got, want)


def test_replacement_is_differentiable_through_the_weights_it_uses(
    qkv: list[torch.Tensor],
) -> None:
    qkv[0].requires_grad_()
    with overriding(lambda layer, block: block.weights**2):
        run(qkv).sum().backward()
    assert qkv[0].grad.abs().sum() > 0
    qkv[0].grad = None
    with overriding(uniform):
        out = run(qkv)
    assert not out.requires_grad


def test_overrides_apply_from_the_outside_in(qkv: list[torch.Tensor]) -> None:
    seen = []

    def look(layer: int, block) -> None:
        seen.append(block.weights.clone())

    with overriding(uniform), overriding(look):
        run(qkv)
    assert seen[0][0, 0, 1].tolist() == [0.5, 0.5, 0.0, 0.0]


def test_zero_needs_and_gets_no_normalisation(qkv: list[torch.Tensor]) -> None:
    with overriding(lambda layer, block: torch.zeros_like(block.weights), normalize=False):
        assert (run(qkv) == 0).all()


def test_padded_queries_stay_zero_under_any_override(qkv: list[torch.Tensor]) -> None:
    support = CAUSAL.repeat(SAMPLES, 1, 1, 1)
    support[1, :, 2] = False
    with overriding(uniform):
        got = run(qkv, support)
    assert (got[1, :, 2] == 0).all()
    assert (got[0, :, 2] != 0).all()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (lambda w: torch.zeros_like(w), "without weight on its support"),
        (lambda w: torch.triu(torch.ones_like(w), 1), "without weight on its support"),
        (lambda w: -w, "negative or non-finite"),
        (lambda w: w * torch.nan, "negative or non-finite"),
        (lambda w: w[..., :-1], r"returned shape \(2, 3, 4, 3\) in layer 0"),
    ],
)
def test_what_is_no_set_of_weights_is_refused(
    qkv: list[torch.Tensor], override, message: str
) -> None:
    replaced = overriding(lambda layer, block: override(block.weights))
    with replaced, pytest.raises(UserError, match=message):
        run(qkv)


def test_hooks_end_with_their_context_even_after_an_error(qkv: list[torch.Tensor]) -> None:
    seen = Seen()
    with pytest.raises(KeyError), observing(seen), overriding(uniform):
        raise KeyError
    assert current_hooks() == Hooks()
    run(qkv)
    assert seen.blocks == []


def test_hooks_of_one_thread_are_unknown_to_another(qkv: list[torch.Tensor]) -> None:
    seen = Seen()
    with observing(seen):
        thread = threading.Thread(target=run, args=(qkv,))
        thread.start()
        thread.join()
    assert seen.blocks == []


def test_wrong_number_of_sample_indices_is_an_error(qkv: list[torch.Tensor]) -> None:
    with on_samples(torch.arange(2)), pytest.raises(ValueError, match="names 2 samples"):
        run(qkv)


def test_layer_folds_make_one_fold_per_layer(qkv: list[torch.Tensor]) -> None:
    class Count:
        def __init__(self, layer: int) -> None:
            self.layer, self.rows = layer, 0

        def update(self, block) -> None:
            self.rows += block.weights[..., 0].numel()

    folds = LayerFolds(Count)
    with observing(folds):
        for layer in (0, 2, 2):
            run(qkv, layer=layer, query_block=3)
    assert {n: (f.layer, f.rows) for n, f in folds.folds.items()} == {0: (0, 24), 2: (2, 48)}
