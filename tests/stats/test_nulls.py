import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats import rows as module
from attnpipe.stats.nulls import by_position, matched_entropy, uniform
from attnpipe.stats.rows import row_similarity

once = settings(deadline=None, derandomize=True, max_examples=40)
CAUSAL = np.tril(np.ones((6, 6), dtype=bool))[None]


def softmax(logits, support):
    raised = np.where(support, np.exp(logits), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    return (raised / np.where(total > 0, total, 1.0)).astype(np.float32)


@once
@given(st.integers(0, 10_000), st.floats(0.0, 12.0), st.integers(1, 7), st.booleans())
def test_random_rows_have_the_entropy_and_the_support_of_the_given(seed, scale, keys, masked):
    rng = np.random.default_rng(seed)
    support = np.ones((1, 1, keys), dtype=bool)
    if masked:
        support = rng.random((5, 3, keys)) < 0.7
    given_rows = softmax(scale * rng.normal(size=(5, 3, keys)), support)
    drawn = matched_entropy(given_rows, support, rng)
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


def test_one_hot_and_uniform_rows_stay_what_they_are():
    rng = np.random.default_rng(0)
    sharp = np.zeros((200, 1, 6), dtype=np.float32)
    sharp[..., 2] = 1
    drawn = matched_entropy(sharp, np.ones((1, 1, 6), dtype=bool), rng)
    assert np.all(drawn.max(axis=-1) == 1)
    counts = np.bincount(drawn.argmax(axis=-1).ravel(), minlength=6)
    assert counts.min() > 15  # each key is as likely: 33 expected, sd 5
    flat = np.repeat(uniform(CAUSAL), 4, axis=0)
    assert np.allclose(matched_entropy(flat, CAUSAL, rng), flat, atol=1e-6)


def test_random_rows_are_alike_in_nothing_but_entropy():
    rng = np.random.default_rng(1)
    support = np.ones((1, 1, 12), dtype=bool)
    rows = softmax(np.sin(np.arange(12)) * 3 + rng.normal(size=(300, 2, 12)), support)
    drawn = matched_entropy(rows, support, rng)
    likeness = row_similarity([rows, drawn, matched_entropy(rows, support, rng)], support).centred
    assert np.abs(likeness[np.triu_indices(3, 1)]).max() < 0.05


def test_the_generator_decides():
    rows = softmax(np.random.default_rng(0).normal(size=(4, 6, 6)), CAUSAL)
    one, same, other = (
        matched_entropy(rows, CAUSAL, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_chunks_do_not_change_the_result(monkeypatch):
    rows = softmax(np.random.default_rng(0).normal(size=(9, 6, 6)), CAUSAL)
    whole = matched_entropy(rows, CAUSAL, np.random.default_rng(1))
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    assert np.array_equal(whole, matched_entropy(rows, CAUSAL, np.random.default_rng(1)))


def test_broken_rows_are_zero():
    rows = np.full((2, 1, 4), 0.25, dtype=np.float32)
    rows[0, 0, 1] = np.nan
    support = np.ones((1, 1, 4), dtype=bool)
    assert matched_entropy(rows, support, np.random.default_rng(0))[0].tolist() == [[0.0] * 4]
    assert by_position(rows, support).tolist() == [[[0.25] * 4]] * 2


def test_uniform_divides_by_the_keys_that_are_seen():
    found = uniform(CAUSAL)
    assert found.shape == (1, 6, 6)
    for q in range(6):
        assert found[0, q].tolist() == [1 / (q + 1)] * (q + 1) + [0.0] * (5 - q)
    assert uniform(np.zeros((1, 1, 3), dtype=bool)).tolist() == [[[0.0] * 3]]


def test_position_means_are_means_over_samples_that_see_the_key():
    support = np.ones((3, 1, 4), dtype=bool)
    support[2, 0, 3] = False  # one sample is padded
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.2, 0.2, 0.6, 9.0]])
    found = by_position(weights[:, None].astype(np.float32), support)
    mean = np.array([0.7 / 3, 0.7 / 3, 1.1 / 3, 0.25])
    assert found[0, 0] == pytest.approx(mean / mean.sum())
    assert np.array_equal(found[0], found[1])
    assert found[2, 0] == pytest.approx([*(mean[:3] / mean[:3].sum()), 0.0])


def test_position_means_of_one_support_are_plain_means():
    rows = softmax(np.random.default_rng(0).normal(size=(8, 6, 6)), CAUSAL)
    expected = rows.astype(float).mean(axis=0)
    assert np.allclose(by_position(rows, CAUSAL), expected[None], atol=1e-7)
