"""What studies compute of stored weights, on captured and on eager ones, for every architecture."""

from unittest import mock

import numpy as np
import pytest
import torch
from benchmarks.architectures import ENCODER_DECODERS, ZOO, build
from benchmarks.comparing import dense
from benchmarks.comparing.dense import THRESHOLDS, of_dense, stacks
from benchmarks.comparing.reading import even
from benchmarks.parity import DTYPES

from attnpipe.attention.adapter.context import sites
from attnpipe.extraction.text.observers import WeightStore

NAMES = list(ZOO)


@pytest.mark.parametrize("name", NAMES)
def test_dense_numbers_are_those_of_eager_attention(name: str) -> None:
    assert of_dense(even(name)) <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_lower_precision_keeps_the_dense_numbers_of_its_q_and_k(name: str) -> None:
    for dtype in DTYPES:
        assert of_dense(even(name), getattr(torch, dtype)) <= 1e-5, dtype


@pytest.mark.parametrize("name", ["Llama", "BERT"])
def test_what_is_compared_says_something(name: str) -> None:
    """Some keys are sinks and some are not, every part of the split is known, heads differ."""
    with mock.patch.object(dense, "numbers", wraps=dense.numbers) as made:
        of_dense(even(name))
    found = dense.numbers(*made.call_args.args)
    lowest = [value for key, value in found.items() if key.endswith(f" {THRESHOLDS[0]}")]
    assert len(lowest) == 2
    assert all(0 < value.sum() < len(value) for value in lowest)
    assert all(np.isfinite(found[column]).all() for column in dense.COLUMNS)
    for condition in dense.CONDITIONS:
        apart = found[f"distances {condition}"][~np.eye(8, dtype=bool)]
        assert apart.min() > 0.01
        assert len(set(found[f"clusters {condition}"].tolist())) == dense.CLUSTERS


class Mixed(WeightStore):
    """Takes the first two heads for each other in the last layer."""

    def full(self, item: int) -> np.ndarray:
        weights = super().full(item).copy()
        weights[-1, [0, 1]] = weights[-1, [1, 0]]
        return weights


@pytest.mark.parametrize("name", ["Llama", "T5"])
def test_heads_that_are_taken_for_each_other_are_seen(name: str) -> None:
    with mock.patch.object(dense, "WeightStore", Mixed):
        assert of_dense(even(name)) > 1e-3


def test_stacks_of_two_texts_are_told_apart() -> None:
    for name in NAMES:
        found = stacks(even(name), sites(build(name)))
        assert [len(stack) for stack in found] == [2] * (1 + (name in ENCODER_DECODERS))
