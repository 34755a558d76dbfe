"""Rows without their sinks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.cases import KINDS, as_torch, make_block, one_row, part
from tests.metrics.reference import reference
from tests.metrics.tokens.cases import make_text

from attnpipe.core.block import Block
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.metrics.tokens.battery import TokenBattery
from attnpipe.metrics.tokens.sinks import SUNK, without
from attnpipe.metrics.tokens.texts import Texts
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[2], recent_k=[2])


def rows_of(block):
    return Rows.from_block(block, 1e-6)


def removed(weights, sinks, support=None):
    rows = without(rows_of(one_row(weights, support)), np.array([sinks]))
    return rows, rows.weights[0, 0, 0]


def test_the_rest_is_renormalised_on_its_own_support():
    rows, row = removed([0.6, 0.1, 0.3, 0.0], [True, False, False, False])
    np.testing.assert_allclose(row, [0, 0.25, 0.75, 0])
    assert rows.n.ravel().tolist() == [3.0]
    assert rows.support[0, 0].tolist() == [False, True, True, True]
    assert rows.valid.all()


@pytest.mark.parametrize(("left", "reason"), [(1.1e-3, 0), (0.9e-3, SUNK), (0.0, SUNK)])
def test_rows_with_next_to_nothing_left_are_undefined(left, reason):
    rows, row = removed([1 - left, left, 0], [True, False, False])
    assert rows.reason.ravel().tolist() == [reason]
    assert row.sum() == pytest.approx(1.0 if reason == 0 else 0.0)


def test_a_row_that_sees_only_sinks_is_sunk_and_no_padding():
    rows, _ = removed([0.5, 0.5, 0], [True, True, False], [True, True, False])
    assert rows.reason.ravel().tolist() == [SUNK]
    padding, _ = removed([0, 0, 0], [True, True, False], [False] * 3)
    assert padding.reason.ravel().tolist() == [1]


def test_without_sinks_nothing_changes():
    rows = rows_of(make_block("causal"))
    assert without(rows, np.zeros((3, 7), bool)) is rows


@pytest.mark.parametrize("convert", [lambda b: b, as_torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_row_metrics_run_on_what_is_left(kind, convert):
    block = make_block(kind, keys=9, samples=3)
    sinks = np.zeros((3, 9), bool)
    sinks[:, 0] = True
    sinks[1, [4, 8]] = True
    queries = block.weights.shape[2]
    support = np.broadcast_to(block.support, (3, queries, 9)) & ~sinks[:, None]
    kept = block.weights * support
    total = kept.sum(axis=-1, keepdims=True)
    left = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
    expected = reference(Block(left, support, *list(vars(block).values())[2:]), (2,))
    rows = without(rows_of(convert(block)), sinks)
    for name, metric in row_metrics(OPTIONS).items():
        value = np.broadcast_to(to_numpy(metric(rows)), rows.reason.shape)
        value = np.where(to_numpy(rows.valid), value, np.nan)
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-11, err_msg=name)


@given(parked=st.sampled_from([0.01, 0.5, 0.9, 0.99]), seed=st.integers(0, 999))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_mass_parked_on_a_sink_changes_nothing(parked, seed):
    """Heads that differ only in how much they leave on the sink are the same head."""
    block = make_block("causal", seed=seed, heads=2, samples=2, keys=8)
    block.weights[:, :, :, 0] = 0
    block.weights[:, :, 1:] /= block.weights[:, :, 1:].sum(axis=-1, keepdims=True)
    block.weights[:, :, 0, 0] = 1
    leaning = (1 - parked) * block.weights
    leaning[..., 0] += parked
    positions = np.arange(8)
    texts = Texts.of({i: make_text([0, 1, 2, 1, 2, 1, 0, 2]) for i in range(2)})
    batteries = []
    for weights in (block.weights, leaning):
        battery = TokenBattery(OPTIONS, texts)
        battery.update(Block(weights, block.support, positions, positions, np.arange(2)))
        batteries.append(battery.state())
    for key, value in batteries[0].items():
        if key.startswith(("all_sinks_removed/", "last_sinks_removed/")):
            tolerance = 1e-6 if "distance" in key else 1e-9
            np.testing.assert_allclose(batteries[1][key], value, atol=tolerance, err_msg=key)


def test_a_text_of_special_tokens_only_has_no_row_left():
    block = part(make_block("causal", heads=2, samples=1, keys=4))
    positions = np.arange(4)
    block = Block(block.weights, block.support, positions, positions, block.samples)
    battery = TokenBattery(OPTIONS, Texts.of({0: make_text([1, 2, 3, 4], range(4))}))
    battery.update(block)
    for which, rows in (("all", 4), ("last", 1)):
        view = battery.views[which, "sinks_removed"]
        assert view.means.rows.tolist() == [[rows], [rows]]
        assert not view.means.means("entropy").item_count.any()
        assert np.isnan(view.means.means("max_weight").item_mean).all()
        assert not view.incoming.of(0).keys.size
        assert not view.incoming.of(0).rows.any()
        assert not view.lags.of(0).lags.size
        assert np.isnan(view.distances.mean()).all()
        assert np.isnan(view.lags.variation()).all()
        assert np.isnan(view.variation.variation()).all()
        assert not view.scores.score("diagonal").rows.any()
    assert battery.views["all", None].means.means("entropy").item_count.tolist() == [[4], [4]]
    again = TokenBattery.from_state(battery.state())
    assert np.isnan(again.views["all", "sinks_removed"].distances.mean()).all()
