"""What flows from token to token through all layers."""

import numpy as np

from attnpipe.metrics.tokens.rollout import rollout


def test_by_hand():
    first, second = np.array([[1.0, 0], [0.5, 0.5]]), np.array([[1.0, 0], [1, 0]])
    # ½A+½I: [[1, 0], [¼, ¾]] and [[1, 0], [½, ½]]; the second times the first.
    np.testing.assert_allclose(rollout([first, second]), [[1, 0], [5 / 8, 3 / 8]])


def test_attention_to_oneself_lets_nothing_flow():
    np.testing.assert_array_equal(rollout([np.eye(4)] * 3), np.eye(4))


def test_rows_sum_to_1_and_causality_is_kept():
    rng = np.random.default_rng(0)
    layers = [np.tril(rng.random((7, 7))) for _ in range(5)]
    layers = [layer / layer.sum(axis=1, keepdims=True) for layer in layers]
    flow = rollout(layers)
    np.testing.assert_allclose(flow.sum(axis=1), 1, rtol=1e-13)
    assert not np.triu(flow, 1).any()
    expected = np.eye(7)  # written out, value by value
    for layer in layers:
        mixed = np.zeros((7, 7))
        for q in range(7):
            for k in range(7):
                through = sum(layer[q, j] * expected[j, k] for j in range(7))
                mixed[q, k] = (through + expected[q, k]) / 2
        expected = mixed
    np.testing.assert_allclose(flow, expected, rtol=1e-12)


def test_a_missing_row_makes_it_unknown():
    broken = np.eye(3)
    broken[1] = np.nan
    assert np.isnan(rollout([np.eye(3), broken])).all()
