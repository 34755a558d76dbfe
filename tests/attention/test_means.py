"""Means over a dataset, and outputs that are replaced by them."""

import pytest
import torch

from attnpipe.attention.attend import attend
from attnpipe.attention.hooks import observing, on_output, overriding
from attnpipe.attention.interventions import last_step, value_norm
from attnpipe.attention.means import MeanOutputs, MeanWeights, mean_output
from attnpipe.attention.scores import scaled_dot_scores
from attnpipe.core.errors import UserError

SAMPLES, HEADS, STEPS, DIM = 5, 2, 6, 3
CAUSAL = torch.ones(STEPS, STEPS, dtype=torch.bool).tril()[None, None]
PADDED = CAUSAL.repeat(SAMPLES, 1, 1, 1)
PADDED[3:, :, 4:] = False


def qkv():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, SAMPLES, HEADS, STEPS, DIM, generator=generator, dtype=torch.float64)


def run(support=CAUSAL, samples=slice(None), query_block=None, layer=0):
    q, k, v = qkv()[:, samples]
    steps = torch.arange(STEPS)
    return attend(
        scaled_dot_scores(q, k), v, support[samples] if len(support) > 1 else support,
        query_positions=steps, key_positions=steps, layer=layer, query_block=query_block,
    )  # fmt: skip


def weights(support=CAUSAL):
    q, k, _ = qkv()
    logits = q @ k.transpose(-1, -2) / DIM**0.5
    return logits.masked_fill(~support, -torch.inf).softmax(-1).nan_to_num(0.0)


@pytest.mark.parametrize("query_block", [None, 1, 4])
def test_mean_weights_are_those_of_the_samples_that_have_the_query(query_block) -> None:
    mean = MeanWeights()
    with observing(mean):
        run(PADDED, slice(0, 2), query_block)
        run(PADDED, slice(2, 5), query_block)
    exact = weights(PADDED)
    want = torch.cat([exact[:, :, :4].mean(0), exact[:3, :, 4:].mean(0)], dim=1)
    torch.testing.assert_close(mean.means()[0], want)


def test_mean_outputs_by_position_and_over_all() -> None:
    by_position, overall = MeanOutputs(by_position=True), MeanOutputs(by_position=False)
    with on_output(by_position), on_output(overall):
        out = torch.cat([run(PADDED, slice(0, 2)), run(PADDED, slice(2, 5))])
    want = torch.cat([out[:, :, :4].mean(0), out[:3, :, 4:].mean(0)], dim=1)
    torch.testing.assert_close(by_position.means()[0], want)
    rows = torch.cat([out[:3].transpose(1, 2).reshape(-1, HEADS, DIM),
                      out[3:, :, :4].transpose(1, 2).reshape(-1, HEADS, DIM)])  # fmt: skip
    torch.testing.assert_close(overall.means()[0], rows.mean(0)[:, None])


def test_the_mean_acts_in_its_layers_and_heads_only() -> None:
    mean = {0: torch.ones(HEADS, 1, DIM, dtype=torch.float64)}
    plain = run()
    with on_output(mean_output(mean)):
        assert (run() == 1).all()
        torch.testing.assert_close(run(layer=1), plain)
    with on_output(mean_output(mean, {0: torch.tensor([1])})):
        acted = run()
    torch.testing.assert_close(acted[:, 0], plain[:, 0])
    assert (acted[:, 1] == 1).all()
    with on_output(mean_output(mean, {3: torch.tensor([1])})):
        torch.testing.assert_close(run(), plain)


def test_a_hook_that_changes_the_shape_is_refused() -> None:
    with (
        on_output(lambda layer, output: output.context[:, :1]),
        pytest.raises(UserError, match=r"output hook returned shape \(5, 1, 6, 3\) in layer 0"),
    ):
        run()


def test_last_step_gives_the_newest_value() -> None:
    with overriding(last_step()):
        torch.testing.assert_close(run(), qkv()[2])  # causal: its own


def test_value_norm_weighs_by_what_is_added_up() -> None:
    v, exact = qkv()[2], weights()
    share = exact * v.norm(dim=-1)[:, :, None, :]
    want = (share / share.sum(-1, keepdim=True)) @ v
    with overriding(value_norm()):
        torch.testing.assert_close(run(), want)
