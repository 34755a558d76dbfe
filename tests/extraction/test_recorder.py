"""The recorder puts rows back together however they were split."""

import numpy as np
import pytest
import torch

from attnpipe.core.block import Block
from attnpipe.extraction.recorder import Elements, Recorder

HEADS, SAMPLES, STEPS = 2, 6, 5
CAUSAL = torch.ones(STEPS, STEPS, dtype=torch.bool).tril()


def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(HEADS, SAMPLES, STEPS, STEPS, generator=generator)


def block(samples: list[int], queries: slice, support: torch.Tensor) -> Block:
    return Block(
        rows()[:, samples, queries],
        (support if support.shape[1] == 1 else support[:, queries]),
        torch.arange(STEPS)[queries] + 100,
        torch.arange(STEPS) + 100,
        torch.tensor(samples),
    )


def give(recorder: Recorder, support: torch.Tensor) -> None:
    """All rows, samples out of order, split by samples and by queries."""
    for samples in ([5, 0], [1, 3, 2, 4]):
        part = support[samples] if len(support) > 1 else support
        for queries in (slice(3, 5), slice(0, 3)):
            recorder.observe(1, block(samples, queries, part))


@pytest.mark.parametrize("kept", [[0, 1, 2, 3, 4, 5], [1, 4], [0, 5]])
def test_rows_return_to_their_places(kept: list[int]) -> None:
    recorder = Recorder(np.array(kept))
    give(recorder, CAUSAL[None])
    (record,) = recorder.records("best", {})
    np.testing.assert_array_equal(record.weights, rows()[:, kept].numpy())
    assert record.layer == 1
    assert record.samples.tolist() == kept
    assert record.query_positions.tolist() == list(range(100, 105))
    np.testing.assert_array_equal(record.support, CAUSAL[None].numpy())


def test_support_that_differs_by_sample_is_kept_whole() -> None:
    support = CAUSAL.repeat(SAMPLES, 1, 1)
    support[3, :, 0] = False
    recorder = Recorder(np.arange(SAMPLES))
    give(recorder, support)
    (record,) = recorder.records("best", {})
    np.testing.assert_array_equal(record.support, support.numpy())


def test_support_that_is_the_same_for_all_shrinks() -> None:
    recorder = Recorder(np.arange(SAMPLES))
    give(recorder, torch.ones(1, 1, STEPS, dtype=torch.bool))
    (record,) = recorder.records("best", {})
    assert record.support.shape == (1, 1, STEPS)


def test_layers_are_kept_apart_and_records_empty_the_recorder() -> None:
    recorder = Recorder(np.array([0]))
    for layer in (3, 0):
        recorder.observe(layer, block([0], slice(0, 5), CAUSAL[None]))
    assert [r.layer for r in recorder.records("best", {})] == [0, 3]
    assert recorder.records("best", {}) == []


def test_recorder_owns_its_copies() -> None:
    recorder = Recorder(np.array([0]))
    given = block([0], slice(0, 5), CAUSAL[None])
    recorder.observe(0, given)
    given.weights.zero_()
    (record,) = recorder.records("best", {})
    assert record.weights.sum() > 0


def test_samples_with_other_key_positions_are_an_error() -> None:
    recorder = Recorder(np.arange(2))
    recorder.observe(0, block([0], slice(0, 5), CAUSAL[None]))
    shifted = block([1], slice(0, 5), CAUSAL[None])
    shifted.key_positions.add_(1)
    recorder.observe(0, shifted)
    with pytest.raises(ValueError, match="do not share their key positions"):
        recorder.records("best", {})


def test_elements_counts_weights_per_layer() -> None:
    counter = Elements()
    counter.observe(0, block([0, 1], slice(0, 3), CAUSAL[None]))
    counter.observe(0, block([0, 1], slice(3, 5), CAUSAL[None]))
    counter.observe(2, block([0], slice(0, 1), CAUSAL[None]))
    assert counter.per_layer == {0: 2 * 2 * 5 * 5, 2: 2 * 1 * 1 * 5}
