import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats import rows as module
from attnpipe.stats.rows import PairMean, row_similarity, unit_rows

ALL = np.ones((1, 1, 6), dtype=bool)


def softmax(logits, support=None):
    weights = np.exp(logits) if support is None else np.where(support, np.exp(logits), 0)
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / np.where(total > 0, total, 1)).astype(np.float32)


def naive(a, b, support, residual):
    """Mean over samples of the mean over rows of centred cosines, by loops."""
    a, b = a.astype(float), b.astype(float)
    support = np.broadcast_to(support, a.shape)

    def position_mean(x, q, k):
        seen = [x[s, q, k] for s in range(len(x)) if support[s, q, k]]
        return sum(seen) / len(seen) if seen else 0.0

    by_sample = []
    for s in range(len(a)):
        cosines = []
        for q in range(a.shape[1]):
            keys = [k for k in range(a.shape[2]) if support[s, q, k]]
            u, v = (np.array([x[s, q, k] for k in keys]) for x in (a, b))
            if residual:
                u = u - [position_mean(a, q, k) for k in keys]
                v = v - [position_mean(b, q, k) for k in keys]
            if len(keys) < 2:
                continue
            u, v = u - u.mean(), v - v.mean()
            if np.linalg.norm(u) > 1e-7 and np.linalg.norm(v) > 1e-7:
                cosines.append(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
        if cosines:
            by_sample.append(sum(cosines) / len(cosines))
    return sum(by_sample) / len(by_sample) if by_sample else np.nan


def mean_rows(x, support):
    """Each row replaced by the mean of its position over the samples that see the key."""
    support = np.broadcast_to(support, x.shape)
    total = np.where(support, x.astype(float), 0.0).sum(axis=0)
    return np.where(support, total / np.maximum(support.sum(axis=0), 1), 0.0)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3), st.integers(2, 6), st.booleans()
)
def test_similarity_is_the_mean_over_samples_of_rows(seed, samples, queries, keys, masked):
    rng = np.random.default_rng(seed)
    support = np.ones((1, 1, keys), dtype=bool)
    if masked:
        support = rng.random((samples, queries, keys)) < 0.7
    a, b, c = (softmax(rng.normal(size=(samples, queries, keys)), support) for _ in range(3))
    result = row_similarity([a, b, c], support)
    for i, j, x, y in ((0, 1, a, b), (0, 2, a, c), (1, 2, b, c)):
        expected = [naive(x, y, support, False), naive(x, y, support, True)]
        expected.append(naive(mean_rows(x, support), mean_rows(y, support), support, False))
        given_back = [getattr(result, n)[i, j] for n in ("centred", "residual", "position")]
        assert given_back == pytest.approx(expected, abs=1e-4, nan_ok=True)
        assert result.centred[j, i] == pytest.approx(result.centred[i, j], nan_ok=True)


def test_chunks_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(0)
    weights = [softmax(rng.normal(size=(9, 2, 6))) for _ in range(3)]
    whole = row_similarity(weights, ALL)
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    pieces = row_similarity(weights, ALL)
    assert np.allclose(whole.centred, pieces.centred, atol=1e-12)
    assert np.allclose(whole.residual, pieces.residual, atol=1e-12)
    assert np.allclose(whole.position, pieces.position, atol=1e-12)


def test_shared_position_with_independent_content_has_no_residual_likeness():
    rng = np.random.default_rng(0)
    position = 2 * rng.normal(size=(1, 4, 6))
    weights = [softmax(position + 0.3 * rng.normal(size=(300, 4, 6))) for _ in range(2)]
    result = row_similarity(weights, ALL)
    assert result.centred[0, 1] > 0.9
    assert result.position[0, 1] > 0.99
    assert abs(result.residual[0, 1]) < 0.05


def test_shared_content_is_found_beside_different_positions():
    rng = np.random.default_rng(0)
    content = rng.normal(size=(300, 4, 6))
    weights = [softmax(content + rng.normal(size=(1, 4, 6))) for _ in range(2)]
    assert row_similarity(weights, ALL).residual[0, 1] > 0.6


def test_rows_that_ignore_their_input_have_no_residual():
    rows = softmax(np.random.default_rng(0).normal(size=(1, 2, 6)))
    static = np.repeat(rows, 7, axis=0)
    other = softmax(np.random.default_rng(1).normal(size=(7, 2, 6)))
    result = row_similarity([static, other], ALL)
    assert np.isnan(result.residual[0, 1])
    assert not np.isnan(result.centred[0, 1])


def test_one_sample_has_no_residual():
    a, b = (softmax(np.random.default_rng(s).normal(size=(1, 2, 6))) for s in (0, 1))
    assert np.isnan(row_similarity([a, b], ALL).residual).all()


def test_uniform_rows_have_no_pattern_and_no_likeness():
    uniform = softmax(np.zeros((5, 2, 6)))
    other = softmax(np.random.default_rng(0).normal(size=(5, 2, 6)))
    result = row_similarity([uniform, other, uniform], ALL)
    assert np.isnan(result.centred[0]).all()
    assert result.centred[1, 1] == pytest.approx(1)


def test_causal_uniform_rows_have_no_pattern_either():
    support = np.tril(np.ones((6, 6), dtype=bool))[None]
    uniform = softmax(np.zeros((3, 6, 6)), support)
    assert np.isnan(row_similarity([uniform, uniform], support).centred).all()


def test_rows_that_are_not_finite_and_padding_count_for_no_pair():
    rng = np.random.default_rng(0)
    a, b = (softmax(rng.normal(size=(4, 2, 6))) for _ in range(2))
    support = np.ones((4, 2, 6), dtype=bool)
    support[3] = False
    expected = row_similarity([a[1:3], b[1:3]], support[1:3])
    broken = a.copy()
    broken[0] = np.nan
    broken[3] = 0
    result = row_similarity([broken, b], support)
    assert result.centred[0, 1] == pytest.approx(expected.centred[0, 1])


def test_weights_off_the_support_do_not_matter():
    rng = np.random.default_rng(0)
    support = np.array([True, True, True, True, False, False])[None, None]
    a, b = (softmax(rng.normal(size=(4, 2, 6)), support) for _ in range(2))
    dirty = a.copy()
    dirty[..., 4:] = 7
    whole, masked = row_similarity([a, b], support), row_similarity([dirty, b], support)
    assert np.array_equal(whole.centred, masked.centred)
    short = row_similarity([a[..., :4], b[..., :4]], ALL[..., :4])
    assert np.allclose(whole.centred, short.centred, atol=1e-12)


def test_a_random_init_is_not_alike_though_its_profile_is():
    # Near-uniform rows of two initialisations: raw cosine .999, centred about 0.
    rng = np.random.default_rng(5)
    a, b = (softmax(0.05 * rng.normal(size=(200, 1, 50))) for _ in range(2))
    support = np.ones((1, 1, 50), dtype=bool)
    raw = np.sum(a * b, -1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    assert raw.mean() > 0.995
    assert abs(row_similarity([a, b], support).centred[0, 1]) < 0.03


def test_the_mean_of_one_row_is_itself_and_an_undefined_one_counts_for_no_pair():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(3, 2, 1, 5))
    units, defined = unit_rows(rows, np.linalg.norm(rows, axis=-1), np.ones((2, 1, 5), dtype=bool))
    units[0, 1], defined[0, 1] = 0.0, False  # seed 0 has no pattern in sample 1
    units[2], defined[2] = 0.0, False  # seed 2 in none
    mean = PairMean(3)
    mean.add(units, defined)
    flat = units[:, :, 0]
    assert mean.result()[0, 1] == pytest.approx(float(flat[0, 0] @ flat[1, 0]))
    assert mean.result()[1, 1] == pytest.approx(1.0)
    assert np.isnan(mean.result()[2]).all()
    assert np.isnan(mean.result()[:, 2]).all()
