"""Lag profiles, and how much rows of a text vary."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.tokens.cases import KINDS, batch, make_items, make_support, one

from attnpipe.core.block import Block
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.variation import PrefixVariation
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def lags(block):
    fold = LagProfile(OPTIONS)
    fold.update(block)
    return fold


def prefix(weights, support=None, special=(), sinks_removed=0):
    block, texts = one(weights, support, special=special)
    fold = PrefixVariation(OPTIONS, texts, sinks_removed)
    fold.update(block)
    return float(fold.variation()[0, 0]), int(fold.rows[0, 0])


def test_by_hand():
    block, _ = one([[1.0, 0, 0], [0.75, 0.25, 0], [0.2, 0.3, 0.5]], make_support("causal", 3))
    found = lags(block).of(0)
    assert found.lags.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.mass[0], [1.75 / 3, 1.05 / 3, 0.2 / 3])
    np.testing.assert_allclose(found.chance[0], [(11 / 6) / 3, (5 / 6) / 3, (1 / 3) / 3])


def test_future_keys_have_negative_lags():
    block, _ = one([[0.0, 1], [1, 0]], np.ones((2, 2), bool))
    found = lags(block).of(0)
    assert found.lags.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(found.mass[0], [0.5, 0, 0.5])


def test_keys_with_gaps_between_them():
    weights = np.array([[0.7, 0.3, 0.0], [0.1, 0.2, 0.7]])[None, None]
    block = Block(
        weights, np.ones((1, 1, 3), bool), np.array([9, 5]), np.array([2, 3, 8]), np.array([4])
    )
    found = lags(block).of(4)
    assert found.lags.tolist() == [-3, 1, 2, 3, 6, 7]
    np.testing.assert_allclose(found.mass[0], np.array([0.7, 0.0, 0.2, 0.1, 0.3, 0.7]) / 2)
    np.testing.assert_allclose(found.chance[0], np.full(6, 1 / 6))


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_mass_sums_to_1_and_variation_is_bounded(kind, seed):
    items = make_items(kind, seed=seed, sharpness=5.0)
    fold = lags(batch(items))
    for sample, item in enumerate(items):
        found = fold.of(sample)
        np.testing.assert_allclose(found.mass.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(found.chance.sum(axis=1), 1, rtol=1e-12)
        variation = fold.variation()[:, sample]
        assert (variation >= 0).all()
        assert (variation <= math.log(len(item.text.ids)) + 1e-12).all()


class TestVariation:
    def test_a_head_of_one_lag_does_not_vary_in_lag_space(self):
        weights = np.zeros((6, 6))
        weights[np.arange(6), np.arange(6)] = 1
        block, _ = one(weights, make_support("causal", 6))
        fold = lags(block)
        assert fold.variation()[0, 0] == 0.0
        assert fold.variation_chance()[0, 0] > 0.2  # rows of different length
        assert prefix(weights[:, :], np.ones((6, 6), bool))[0] == pytest.approx(math.log(3))

    def test_a_head_that_looks_at_one_key_varies_in_lag_space_only(self):
        weights = np.zeros((8, 8))
        weights[:, 0] = 1
        block, _ = one(weights, make_support("causal", 8))
        assert lags(block).variation()[0, 0] == pytest.approx(math.log(8))
        # Rows 3 to 7 see the prefix of 4.
        assert prefix(weights, make_support("causal", 8)) == (0.0, 5)

    def test_prefix_rows_are_renormalised(self):
        weights = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.4, 0, 0.6, 0], [0, 0.1, 0, 0.9]])
        value, rows = prefix(weights, make_support("causal", 4))
        mean = np.array([0.5, 0.5])  # of (½, ½), (1, 0), (0, 1)
        expected = -np.sum(mean * np.log(mean)) - math.log(2) / 3
        assert (value, rows) == (pytest.approx(expected), 3)

    def test_rows_with_next_to_nothing_on_the_prefix_do_not_count(self):
        weights = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.4, 0, 0.6, 0], [0, 0, 0, 1.0]])
        assert prefix(weights, make_support("causal", 4))[1] == 2

    def test_removed_sinks_need_not_be_seen(self):
        support = make_support("causal", 6)
        support[:, 0] = False
        support[0, 0] = True
        weights = support / support.sum(axis=1, keepdims=True)
        assert prefix(weights, support, special=[0])[1] == 0
        assert prefix(weights, support, special=[0], sinks_removed=1) == (0.0, 4)

    @pytest.mark.parametrize("length", [1, 2])
    def test_short_texts_do_not_vary(self, length):
        weights = np.tril(np.ones((length, length)))
        weights /= weights.sum(axis=1, keepdims=True)
        assert prefix(weights) == (pytest.approx(np.nan, nan_ok=True), 0)
