"""Probe inputs in random order: what is permuted, and that it is captured beside the others."""

import numpy as np
import pytest
import torch

from attnpipe.core.record import SHUFFLED
from attnpipe.extraction.shuffle import shuffled
from attnpipe.tasks.task import Batch

SAMPLES, STEPS = 12, 20


def probe(samples: np.ndarray) -> Batch:
    """Feature 0 tells the step, feature 1 the sample, feature 2 which steps exist."""
    steps = torch.arange(STEPS, dtype=torch.float32).expand(len(samples), STEPS)
    own = torch.from_numpy(samples.astype(np.float32))[:, None].expand(len(samples), STEPS)
    exists = (steps >= own).float()  # sample i lacks its first i steps
    return Batch(torch.stack([steps, own, exists], dim=2), torch.from_numpy(samples))


def tokens(samples: np.ndarray) -> Batch:
    ids = torch.arange(STEPS)[None] + 100 * torch.from_numpy(samples)[:, None]
    return Batch(ids, ids)


def test_steps_of_each_sample_are_permuted_and_keep_their_features() -> None:
    samples = np.arange(SAMPLES)
    before, after = probe(samples).inputs, shuffled(probe)(samples).inputs
    orders = after[..., 0].long()
    assert torch.equal(orders.sort(dim=1).values, torch.arange(STEPS).expand(SAMPLES, STEPS))
    for sample, order in enumerate(orders):
        assert torch.equal(after[sample], before[sample, order])
    assert len({tuple(order.tolist()) for order in orders}) == SAMPLES
    assert tuple(range(STEPS)) not in {tuple(order.tolist()) for order in orders}


def test_tokens_are_permuted_and_the_probe_is_left_alone() -> None:
    samples = np.array([3, 1])
    after = shuffled(tokens)(samples)
    assert after.inputs.dtype == torch.int64
    assert torch.equal(after.inputs.sort(dim=1).values, tokens(samples).inputs)
    assert not torch.equal(after.inputs, tokens(samples).inputs)
    assert torch.equal(after.targets, tokens(samples).targets)


def test_an_order_depends_on_the_samples_number_alone() -> None:
    whole = shuffled(probe)(np.arange(SAMPLES)).inputs
    parts = [shuffled(probe)(part).inputs for part in (np.array([5, 2]), np.array([11]))]
    assert torch.equal(torch.cat(parts), whole[[5, 2, 11]])


def test_padding_stays_where_it_is() -> None:
    samples = np.arange(SAMPLES)
    before, after = probe(samples).inputs, shuffled(probe, mask=2)(samples).inputs
    assert torch.equal(after[..., 2], before[..., 2])
    for sample in range(SAMPLES):
        assert torch.equal(after[sample, :sample], before[sample, :sample])
        own = after[sample, sample:, 0]
        assert own.sort().values.tolist() == list(range(sample, STEPS))
    assert not torch.equal(after[0], before[0])


@pytest.mark.parametrize("kind", ["simple", "additive", "scaled_dot"])
def test_final_weights_read_shuffled_inputs_last(make_trained, kind: str) -> None:
    trained = make_trained(kind)
    plain, records = trained.extract().records, trained.extract(shuffled_inputs=True).records
    assert [r.checkpoint for r in records] == [*(r.checkpoint for r in plain), SHUFFLED]
    for one, other in zip(plain, records, strict=False):
        assert np.array_equal(one.weights, other.weights)
    *_, best, last = records
    assert last.weights.shape == best.weights.shape
    assert last.weights.sum(axis=-1) == pytest.approx(1.0, abs=1e-5)
    assert not np.allclose(last.weights, best.weights, atol=1e-3)


def test_it_counts_in_the_limit(make_trained) -> None:
    trained = make_trained("additive")
    limit = 8 * 6 * 8 * 8 * 4 / 1e6  # samples × checkpoints × queries × keys × bytes
    assert len(trained.extract(limit, True).records[-1].samples) == 8
    below = trained.extract(limit * 0.999, True).records
    assert all(len(r.samples) == 6 and r.states["battery"] for r in below)


def test_a_run_that_diverged_has_none(make_trained) -> None:
    trained = make_trained("simple")
    del trained.checkpoints["best"]
    assert SHUFFLED not in {r.checkpoint for r in trained.extract(shuffled_inputs=True).records}
