"""Distances between heads: of a layer, of a model."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from tests.metrics.tokens.cases import one

from attnpipe.metrics.rows import plogp
from attnpipe.metrics.tokens.all_pairs import all_pairs
from attnpipe.metrics.tokens.distance import row_distance
from attnpipe.metrics.tokens.head_distances import HeadDistances, spaced
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
