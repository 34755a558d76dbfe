"""Incoming attention by hand, and its data-driven sinks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.cases import make_block
from tests.metrics.tokens.cases import KINDS, batch, make_items, make_support, one

from attnpipe.metrics.tokens.data_sinks import data_sinks
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def incoming(*blocks):
    fold = Incoming(OPTIONS)
    for block in blocks:
        fold.update(block)
    return fold


def test_causal_uniform_attention_gives_the_first_key_a_harmonic_number():
    support = make_support("causal", 24)
    block, _ = one(support / support.sum(axis=1, keepdims=True))
    received = incoming(block).of(0)
    harmonic = np.cumsum(1 / np.arange(1, 25))
    assert received.mass[0, 0] == pytest.approx(3.7759581777535067)  # 1 + 1/2 + … + 1/24
    np.testing.assert_allclose(received.mass[0, 1:], harmonic[-1] - harmonic[:-1], rtol=1e-13)
    np.testing.assert_allclose(received.ratio[0], np.ones(24), rtol=1e-14)


def test_by_hand():
    block, _ = one([[1.0, 0, 0], [0.75, 0.25, 0], [0.2, 0.3, 0.5]], make_support("causal", 3))
    received = incoming(block).of(0)
    np.testing.assert_allclose(received.mass[0], [1.95, 0.55, 0.5])
    np.testing.assert_allclose(received.exposure[0], [11 / 6, 5 / 6, 1 / 3])
    np.testing.assert_allclose(received.ratio[0], [1.95 * 6 / 11, 0.55 * 6 / 5, 1.5])
    assert received.rows.tolist() == [3.0]


def test_keys_that_no_row_sees_are_not_among_the_keys():
    block, _ = one([[1.0, 0, 0], [0.5, 0, 0.5], [0.5, 0, 0.5]])
    assert incoming(block).of(0).keys.tolist() == [0, 2]


def test_an_unseen_sample_is_refused():
    with pytest.raises(ValueError, match="no row of sample 9 was seen"):
        incoming(make_block("causal")).of(9)


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_mass_and_exposure_sum_to_the_rows(kind, seed):
    items = make_items(kind, seed=seed)
    fold = incoming(batch(items))
    for sample, item in enumerate(items):
        received = fold.of(sample)
        assert received.rows.tolist() == [len(item.text.ids)] * 3
        np.testing.assert_allclose(received.mass.sum(axis=1), received.rows, rtol=1e-12)
        np.testing.assert_allclose(received.exposure.sum(axis=1), received.rows, rtol=1e-12)
        assert (received.ratio >= 0).all()


class TestDataSinks:
    def leaning(self, share, keys, samples=4, length=64, seed=0):
        """Causal rows that give `share` to some keys (where seen), the rest at random."""
        rng = np.random.default_rng(seed)
        support = make_support("causal", length)
        weights = np.exp(rng.standard_normal((2, samples, length, length))) * support
        weights /= weights.sum(axis=-1, keepdims=True)
        sink = np.zeros((length, length))
        sink[:, keys] = support[:, keys]
        sink /= np.maximum(sink.sum(axis=1, keepdims=True), 1)
        some = sink.any(axis=1)[:, None] * share
        block = make_block("causal", heads=2, samples=samples, keys=length)
        block.weights[:] = (1 - some) * weights + some * sink
        return block

    def test_planted_sinks_are_found(self):
        assert data_sinks(incoming(self.leaning(0.6, [0]))).tolist() == [10]  # positions from 10
        assert data_sinks(incoming(self.leaning(0.8, [0, 5]))).tolist() == [10, 15]

    def test_plain_attention_has_none(self):
        assert data_sinks(incoming(self.leaning(0.0, [0]))).tolist() == []

    @pytest.mark.parametrize("back", [0, 1, 2])
    def test_local_heads_make_no_sinks(self, back):
        length = 64
        weights = np.zeros((1, length, length))
        weights[0, np.arange(length), np.maximum(np.arange(length) - back, 0)] = 1.0
        block, _ = one(weights, make_support("causal", length))
        assert data_sinks(incoming(block)).tolist() == []

    def test_the_threshold_is_compared_with_the_mean_ratio(self):
        block = self.leaning(0.6, [0])
        fold = incoming(block)
        ratio = np.mean([fold.of(s).ratio[:, 0].mean() for s in range(4)])
        assert data_sinks(fold, ratio - 1e-9).tolist() == [10]
        assert data_sinks(fold, ratio + 1e-9).tolist() == []

    def test_a_position_of_few_texts_is_no_sink(self):
        block = self.leaning(0.6, [0])
        block.samples[:] = [0, 1, 2, 3]
        elsewhere = self.leaning(0.8, [7], samples=1)
        elsewhere.samples[:] = [9]
        assert data_sinks(incoming(elsewhere)).tolist() == [17]
        shifted = type(elsewhere)(
            elsewhere.weights, elsewhere.support,
            elsewhere.query_positions + 100, elsewhere.key_positions + 100, elsewhere.samples,
        )  # fmt: skip
        assert data_sinks(incoming(block, shifted)).tolist() == [10]

    def test_only_the_texts_asked_for_count(self):
        block = self.leaning(0.6, [0])
        block.samples[:] = [0, 1, 2, 3]
        other = self.leaning(0.8, [7])
        other.samples[:] = [4, 5, 6, 7]
        fold = incoming(block, other)
        assert data_sinks(fold, samples=[0, 1, 2, 3]).tolist() == [10]
        assert data_sinks(fold, samples=[4, 5, 6, 7, 99]).tolist() == [17]

    def test_without_rows_there_are_none(self):
        assert data_sinks(Incoming(OPTIONS)).tolist() == []
