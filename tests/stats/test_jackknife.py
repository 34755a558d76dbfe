import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats.jackknife import pair_values, pairwise_mean


def symmetric(rng, n):
    upper = np.triu(rng.normal(size=(n, n)), k=1)
    return upper + upper.T


def naive(pairs):
    """Leave out one seed at a time, in loops."""
    n = len(pairs)

    def mean(seeds):
        values = [pairs[i, j] for i in seeds for j in seeds if i < j]
        return sum(values) / len(values)

    without = [mean([s for s in range(n) if s != left]) for left in range(n)]
    centre = sum(without) / n
    return mean(range(n)), (n - 1) / n * sum((v - centre) ** 2 for v in without)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(3, 9), st.integers(0, 10_000))
def test_jackknife_leaves_out_one_seed_with_all_its_pairs(n, seed):
    pairs = symmetric(np.random.default_rng(seed), n)
    estimate = pairwise_mean(pairs)
    assert (estimate.value, estimate.variance) == pytest.approx(naive(pairs))
    assert estimate.df == n - 1


def test_diagonal_is_not_read_and_the_input_not_changed():
    pairs = symmetric(np.random.default_rng(0), 4)
    before = pairs.copy()
    expected = pairwise_mean(pairs)
    assert np.array_equal(pairs, before)
    np.fill_diagonal(pairs, 99.0)
    assert pairwise_mean(pairs) == expected


def test_a_seed_without_any_value_is_left_out():
    pairs = symmetric(np.random.default_rng(1), 5)
    expected = pairwise_mean(pairs[:4, :4])
    pairs[4] = pairs[:, 4] = np.nan
    assert pairwise_mean(pairs) == expected


def test_two_seeds_have_a_value_and_no_interval():
    estimate = pairwise_mean(np.array([[1.0, 0.3], [0.3, 1.0]]))
    assert estimate.value == 0.3
    assert np.isnan(estimate.interval(0.95)).all()


def test_no_pair_no_value():
    assert np.isnan(pairwise_mean(np.ones((1, 1))).value)
    assert np.isnan(pairwise_mean(np.full((3, 3), np.nan)).value)


def test_a_seed_that_holds_all_pairs_leaves_the_interval_unknown():
    pairs = np.full((3, 3), np.nan)
    pairs[0, 1] = pairs[1, 0] = 0.2
    pairs[0, 2] = pairs[2, 0] = 0.4
    estimate = pairwise_mean(pairs)
    assert estimate.value == pytest.approx(0.3)
    assert np.isnan(estimate.variance)


def test_pair_values_are_read_row_by_row():
    pairs = np.array([[1.0, 2, 3], [2, 1, 4], [3, 4, 1]])
    assert pair_values(pairs).tolist() == [2.0, 3.0, 4.0]


def test_jackknife_covers_where_pairs_taken_as_independent_do_not():
    # Five noisy copies of one pattern, some seeds noisier than others; pairwise cosines.
    rng = np.random.default_rng(7)
    n, repetitions = 5, 2000
    noise = np.exp(0.4 * rng.standard_normal((repetitions, n, 1)))
    x = np.sin(np.arange(50) / 4) + noise * rng.standard_normal((repetitions, n, 50))
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    pairs = x @ x.transpose(0, 2, 1)
    values = np.stack([pair_values(matrix) for matrix in pairs])
    truth = values.mean()

    half = scipy_stats.norm.ppf(0.975) * values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    naive_coverage = np.mean(np.abs(values.mean(axis=1) - truth) <= half)
    intervals = np.array([pairwise_mean(matrix).interval(0.95) for matrix in pairs])
    coverage = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    assert naive_coverage < 0.70
    assert 0.92 < coverage < 0.98
