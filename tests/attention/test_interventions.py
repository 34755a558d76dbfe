"""Named interventions: what acts instead, on its support, whatever the blocks."""

import pytest
import torch

from attnpipe.attention.attend import attend
from attnpipe.attention.hooks import Override, observing, on_samples, overriding
from attnpipe.attention.interventions import (
    beta_override,
    identity,
    last_step,
    local_window,
    permuted,
    position_mean,
    uniform,
    value_norm,
    zero,
)
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.core.block import Block
from attnpipe.core.errors import UserError

SAMPLES, HEADS, STEPS, DIM = 4, 2, 6, 3
CAUSAL = torch.ones(STEPS, STEPS, dtype=torch.bool).tril()[None, None]
RIGHT_PADDED = CAUSAL.repeat(SAMPLES, 1, 1, 1)
RIGHT_PADDED[:2, :, 4:] = False  # two texts of four tokens, two of six


class Seen:
    def __init__(self) -> None:
        self.blocks: list = []

    def observe(self, layer: int, block) -> None:
        self.blocks.append(block)

    @property
    def weights(self) -> torch.Tensor:
        return torch.cat([b.weights for b in self.blocks], dim=2)


def run(
    override: Override | None,
    support: torch.Tensor = CAUSAL,
    *,
    normalize: bool = True,
    samples: list[int] | None = None,
    query_block: int | None = None,
    layer: int = 0,
) -> torch.Tensor:
    """Return the weights that acted, ``[head, sample, query, key]``."""
    generator = torch.Generator().manual_seed(0)
    shape = (3, SAMPLES, HEADS, STEPS, DIM)
    q, k, v = torch.randn(shape, generator=generator, dtype=torch.float64)
    seen, steps = Seen(), torch.arange(STEPS)
    indices = torch.arange(SAMPLES) if samples is None else torch.tensor(samples)
    shown = overriding(override, normalize=normalize) if override else observing()
    with on_samples(indices), observing(seen), shown:
        attend(
            scaled_dot_scores(q, k),
            v,
            support,
            query_positions=steps,
            key_positions=steps,
            layer=layer,
            query_block=query_block,
        )
    return seen.weights


PLAIN = run(None)


def test_identity() -> None:
    torch.testing.assert_close(run(identity()), PLAIN)


def test_uniform() -> None:
    rows = CAUSAL[0, 0].double() / torch.arange(1, STEPS + 1)[:, None]
    torch.testing.assert_close(run(uniform()), rows.expand_as(PLAIN))


def test_zero() -> None:
    assert not run(zero(), normalize=False).any()


@pytest.mark.parametrize("width", [1, 2, 4])
def test_local_window(width: int) -> None:
    lag = torch.arange(STEPS)[:, None] - torch.arange(STEPS)
    kept = PLAIN * (lag < width)
    torch.testing.assert_close(run(local_window(width)), kept / kept.sum(-1, keepdim=True))


def test_local_window_looks_both_ways() -> None:
    everything = torch.ones_like(CAUSAL)
    got = run(local_window(2), everything)
    lag = torch.arange(STEPS)[:, None] - torch.arange(STEPS)
    assert torch.equal(got[0, 0] > 0, lag.abs() < 2)


@pytest.mark.parametrize("query_block", [None, 1, 4])
@pytest.mark.parametrize("shift", [1, 2])
def test_permuted_takes_the_row_of_another_sample(shift: int, query_block: int | None) -> None:
    want = PLAIN.roll(-shift, 1)
    torch.testing.assert_close(run(permuted(shift), query_block=query_block), want)


@pytest.mark.parametrize("query_block", [None, 1, 4])
def test_permuted_keeps_to_rows_with_the_same_support(query_block: int | None) -> None:
    got = run(permuted(), RIGHT_PADDED, query_block=query_block)
    plain = run(None, RIGHT_PADDED)
    torch.testing.assert_close(got[:, :, :4], plain[:, [1, 2, 3, 0], :4])
    torch.testing.assert_close(got[:, 2:, 4:], plain[:, [3, 2], 4:])
    assert not got[:, :2, 4:].any()


def test_permuted_refuses_a_row_without_a_partner() -> None:
    alone = CAUSAL.repeat(SAMPLES, 1, 1, 1)
    alone[:3, :, 5] = False
    with pytest.raises(UserError, match="sample 30 at position 5 has no other sample"):
        run(permuted(), alone, samples=[0, 10, 20, 30])


@pytest.mark.parametrize("query_block", [None, 2])
def test_beta_override_goes_by_sample_and_position(query_block: int | None) -> None:
    generator = torch.Generator().manual_seed(1)
    stored = torch.rand(HEADS, 10, 8, 9, generator=generator, dtype=torch.float64)
    samples = [9, 0, 4, 4]
    got = run(beta_override({0: stored}), samples=samples, query_block=query_block)
    want = stored[:, samples, :STEPS, :STEPS] * CAUSAL[0]
    torch.testing.assert_close(got, want / want.sum(-1, keepdim=True))
    torch.testing.assert_close(run(beta_override({0: stored}), samples=samples, layer=1), PLAIN)


def test_position_mean_is_the_same_for_all_samples() -> None:
    means = PLAIN.mean(1)
    got = run(position_mean({0: means}), samples=[5, 6, 7, 8])
    torch.testing.assert_close(got, means[:, None].expand_as(PLAIN))


@pytest.mark.parametrize(
    "shape", [(HEADS, 2, STEPS, STEPS), (1, 1, STEPS - 1, STEPS), (1, 1, STEPS, STEPS - 1)]
)
def test_arrays_that_are_too_small_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        UserError, match=r"beta_override of layer 0 has shape .*, query 5 and key 5"
    ):
        run(beta_override({0: torch.ones(shape)}))


def test_arrays_need_no_rows_for_padding() -> None:
    short = RIGHT_PADDED[:, :, :, :].clone()
    short[2:, :, 4:] = False
    got = run(beta_override({0: torch.ones(1, 1, 4, 4)}), short)
    torch.testing.assert_close(got[0, 0, 3, :4], torch.full((4,), 0.25, dtype=torch.float64))
    assert not got[:, :, 4:].any()


@pytest.mark.parametrize("make", [lambda: local_window(0), lambda: permuted(0)])
def test_impossible_parameters_are_refused(make) -> None:
    with pytest.raises(UserError, match="choose at least 1"):
        make()


def test_a_row_without_weight_in_the_window_gets_equal_weights_there() -> None:
    far = torch.zeros(HEADS, SAMPLES, STEPS, STEPS, dtype=torch.float64)
    far[..., 0] = 1.0  # every row looks at the first key alone
    block = Block(far, CAUSAL[0], torch.arange(STEPS), torch.arange(STEPS), torch.arange(SAMPLES))
    acted = local_window(2)(0, block)
    torch.testing.assert_close(acted[0, 0, 1], torch.tensor([1.0, 0, 0, 0, 0, 0]).double())
    torch.testing.assert_close(acted[0, 0, 4], torch.tensor([0, 0, 0, 1.0, 1, 0]).double())


@pytest.mark.parametrize(
    "override", [identity(), uniform(), zero(), local_window(2), last_step(), value_norm()]
)
def test_weights_are_made_on_the_device_of_the_block(override: Override) -> None:
    with torch.device("meta"):  # refuses other tensors, as an accelerator does
        block = Block(
            torch.empty(HEADS, SAMPLES, STEPS, STEPS),
            torch.ones(SAMPLES, STEPS, STEPS, dtype=torch.bool),
            torch.arange(STEPS),
            torch.arange(STEPS),
            torch.arange(SAMPLES),
            torch.empty(HEADS, SAMPLES, STEPS, DIM),
        )
    acted = override(0, block)
    assert acted is not None
    assert acted.device.type == "meta"
    assert acted.expand(block.weights.shape).shape == block.weights.shape
