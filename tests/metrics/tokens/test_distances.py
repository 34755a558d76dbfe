"""Distances between heads: of a layer, of a model."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tests.metrics.tokens.cases import batch, make_items, one, texts_of

from attnpipe.metrics.rows import plogp
from attnpipe.metrics.tokens.all_pairs import all_pairs
from attnpipe.metrics.tokens.distance import row_distance
from attnpipe.metrics.tokens.head_distances import HeadDistances, spaced
from attnpipe.metrics.tokens.kept_rows import KeptRows, model_distances
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec()


def distance(a, b):
    a, b = np.array([a], float), np.array([b], float)
    return float(row_distance(np, a, b, plogp(np, a), plogp(np, b))[0])


def simplex(draw, n):
    weights = np.array(draw(st.lists(st.integers(0, 100), min_size=n, max_size=n)), float)
    weights[draw(st.integers(0, n - 1))] += 1
    return weights / weights.sum()


@st.composite
def three_rows(draw):
    n = draw(st.integers(1, 6))
    return [simplex(draw, n) for _ in range(3)]


@given(rows=three_rows())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_it_is_a_metric(rows):
    a, b, c = rows
    assert distance(a, b) == pytest.approx(jensenshannon(a, b, base=2), abs=2e-8)
    assert 0 <= distance(a, b) <= 1
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-7


def test_known_values():
    assert distance([1, 0], [0, 1]) == 1.0
    assert distance([0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]) == pytest.approx(1.0, abs=1e-15)
    # Half of the mass apart: JSD = ln 2 / 2.
    assert distance([0.5, 0.5, 0], [0.5, 0, 0.5]) == pytest.approx(math.sqrt(0.5))


def test_rounding_does_not_leave_the_range():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(50), 500)
    nudged = rows * (1 + 1e-16 * rng.standard_normal(rows.shape))
    apart = np.zeros((2, 500, 100))
    apart[0, :, :50], apart[1, :, 50:] = rows, nudged
    for a, b, expected in ((rows, nudged, 0.0), (apart[0], apart[1], 1.0)):
        far = row_distance(np, a, b, plogp(np, a), plogp(np, b))
        assert ((far >= 0) & (far <= 1)).all()
        np.testing.assert_allclose(far, expected, atol=1e-7)
        summed, _ = all_pairs(np.stack([a, b]), np.ones((2, 500), bool))
        np.testing.assert_allclose(summed[0, 1], 500 * expected, atol=1e-5)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_rows_that_no_head_has_are_left_out(lost):
    weights = np.random.default_rng(1).dirichlet(np.ones(4), (3, 3))
    valid = np.ones((3, 3), bool)
    weights[:, lost], valid[:, lost] = 0.0, False
    total, rows = all_pairs(weights, valid)
    assert (rows == 2).all()
    others = [row for row in range(3) if row != lost]
    expected = sum(jensenshannon(weights[0, row], weights[2, row], base=2) for row in others)
    assert total[0, 2] == pytest.approx(expected, abs=1e-9)
    nothing, none = all_pairs(np.zeros_like(weights), np.zeros_like(valid))
    assert not nothing.any()
    assert not none.any()


def test_equal_heads_are_at_0_and_disjoint_heads_at_1():
    length = 6
    weights = np.zeros((3, length, length))
    weights[0, :, 0] = weights[1, :, 0] = weights[2, :, 1] = 1.0
    block, texts = one(weights, np.ones((length, length), bool))
    fold = HeadDistances(OPTIONS, texts)
    fold.update(block)
    np.testing.assert_array_equal(fold.mean()[..., 0], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    assert (fold.count == length).all()


def test_long_texts_are_compared_on_evenly_spaced_rows():
    queries = np.arange(10)
    assert spaced(queries, 10, 10).tolist() == list(range(10))
    assert spaced(queries, 10, 12).tolist() == list(range(10))
    assert spaced(queries, 10, 5).tolist() == [1, 3, 5, 7, 9]
    assert spaced(queries, 10, 4).tolist() == [0, 3, 6, 9]
    assert spaced(queries, 10, 1).tolist() == [9]
    assert spaced(np.array([9, 4, 0]), 10, 2).tolist() == [0, 1]


@pytest.mark.parametrize("rows", [3, 32])
def test_distances_of_a_model_agree_with_loops(rows):
    layers = {layer: make_items("window", seed=layer, heads=2 + layer) for layer in (0, 1)}
    kept = {}
    for layer, items in layers.items():
        block = batch(items)
        block.weights[0, 3, 8] *= 1 + layer  # a head of layer 1 has an invalid last row
        kept[layer] = KeptRows(OPTIONS, texts_of(items), rows)
        kept[layer].update(block)
    for sample in range(5):
        found = model_distances(kept, sample)
        assert found.layer.tolist() == [0, 0, 1, 1, 1]
        assert found.head.tolist() == [0, 1, 0, 1, 2]
        length = len(layers[0][sample].text.ids)
        step = math.ceil(length / rows)
        queries = list(range(length - 1, -1, -step))
        for i in range(5):
            for j in range(5):
                rows_i = layers[found.layer[i]][sample].weights[found.head[i]]
                rows_j = layers[found.layer[j]][sample].weights[found.head[j]]
                both = [
                    q for q in queries
                    if not (sample == 3 and q == 8 and 2 in (i, j))
                ]  # fmt: skip
                far = [jensenshannon(rows_i[q], rows_j[q], base=2) if i != j else 0 for q in both]
                assert found.distance[i, j] == pytest.approx(np.mean(far), abs=1e-7)
                assert found.rows[i, j] == len(both)


def test_distances_within_a_layer_are_those_of_the_model():
    items = make_items("causal")
    kept, layer = KeptRows(OPTIONS, texts_of(items), 4), HeadDistances(OPTIONS, texts_of(items), 4)
    for fold in (kept, layer):
        fold.update(batch(items))
    for sample in range(5):
        np.testing.assert_allclose(
            model_distances({7: kept}, sample).distance,
            layer.mean()[..., sample],
            rtol=1e-12,
            atol=1e-7,
        )


def test_kept_rows_are_the_texts_own_the_last_first():
    items = make_items("causal")
    fold = KeptRows(OPTIONS, texts_of(items), 3)
    fold.update(batch(items))
    weights, valid = fold.of(3)  # 9 tokens: every third row
    np.testing.assert_allclose(weights, items[3].weights[:, [8, 5, 2]], rtol=1e-12)
    assert valid.all()
    weights, valid = fold.of(4)  # 2 tokens
    np.testing.assert_allclose(weights, items[4].weights[:, [1, 0]], rtol=1e-12)
    assert valid.tolist() == [[True, True]] * 3
