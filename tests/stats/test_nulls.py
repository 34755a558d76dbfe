import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats import rows as module
from attnpipe.stats.nulls import matched_entropy

once = settings(deadline=None, derandomize=True, max_examples=40)
CAUSAL = np.tril(np.ones((6, 6), dtype=bool))[None]


def softmax(logits, support):
    raised = np.where(support, np.exp(logits), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    return (raised / np.where(total > 0, total, 1.0)).astype(np.float32)


def drawn_for(rows, support, seed=0):
    """Random rows whose logits differ from row to row."""
    return matched_entropy(rows, support, np.random.default_rng(seed).standard_normal(rows.shape))


@once
@given(st.integers(0, 10_000), st.floats(0.0, 12.0), st.integers(1, 7), st.booleans())
def test_rows_have_the_entropy_and_the_support_of_the_given(seed, scale, keys, masked):
    rng = np.random.default_rng(seed)
    support = np.ones((1, 1, keys), dtype=bool)
    if masked:
        support = rng.random((5, 3, keys)) < 0.7
    given_rows = softmax(scale * rng.normal(size=(5, 3, keys)), support)
    drawn = matched_entropy(given_rows, support, rng.standard_normal(given_rows.shape))
    seen = np.broadcast_to(support, drawn.shape)
    assert np.all(drawn[~seen] == 0)
    assert drawn.min() >= 0
    for row, new in zip(given_rows.reshape(-1, keys), drawn.reshape(-1, keys), strict=True):
        if row.sum() == 0:
            assert new.tolist() == row.tolist()
        else:
            assert new.sum() == pytest.approx(1)
            expected = scipy_stats.entropy(row.astype(float))
            assert scipy_stats.entropy(new) == pytest.approx(expected, abs=1e-9)


def test_rows_are_softmax_of_their_logits_at_some_temperature():
    rng = np.random.default_rng(1)
    rows = softmax(2 * rng.normal(size=(4, 3, 6)), CAUSAL[:, 3:])
    logits = rng.standard_normal(6)
    found = matched_entropy(rows, CAUSAL[:, 3:], logits[None, None])
    seen = np.broadcast_to(CAUSAL[:, 3:], found.shape)
    for s in range(4):
        for q in range(3):
            keys = np.flatnonzero(seen[s, q])
            slope = np.diff(np.log(found[s, q, keys])) / np.diff(logits[keys])
            assert slope == pytest.approx(np.full(len(keys) - 1, slope[0]))
            assert slope[0] > 0


def test_one_hot_and_uniform_rows_stay_what_they_are():
    sharp = np.zeros((200, 1, 6), dtype=np.float32)
    sharp[..., 2] = 1
    drawn = drawn_for(sharp, np.ones((1, 1, 6), dtype=bool))
    assert np.all(drawn.max(axis=-1) == 1)
    counts = np.bincount(drawn.argmax(axis=-1).ravel(), minlength=6)
    assert counts.min() > 15  # each key is as likely: 33 expected, sd 5
    flat = softmax(np.zeros((4, 6, 6)), CAUSAL)
    assert np.allclose(drawn_for(flat, CAUSAL), flat, atol=1e-6)


def test_chunks_do_not_change_the_result(monkeypatch):
    rows = softmax(np.random.default_rng(0).normal(size=(9, 6, 6)), CAUSAL)
    whole = drawn_for(rows, CAUSAL)
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    assert np.array_equal(whole, drawn_for(rows, CAUSAL))


def test_broken_rows_are_zero():
    rows = np.full((2, 1, 4), 0.25, dtype=np.float32)
    rows[0, 0, 1] = np.nan
    assert drawn_for(rows, np.ones((1, 1, 4), dtype=bool))[0].tolist() == [[0.0] * 4]
