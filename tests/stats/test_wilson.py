import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats.wilson import wilson_interval

once = settings(deadline=None, derandomize=True, max_examples=60)
counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
Z = 1.959963984540054


@once
@given(counts)
def test_ends_are_where_the_score_test_is_just_not_rejected(count):
    k, n = count
    share = k / n
    for end in wilson_interval(k, n):
        assert 0 <= end <= 1
        assert (share - end) ** 2 == pytest.approx(Z**2 * end * (1 - end) / n, abs=1e-12)


@once
@given(counts)
def test_successes_and_failures_mirror_each_other(count):
    k, n = count
    lo, hi = wilson_interval(k, n)
    assert lo <= k / n <= hi
    assert wilson_interval(n - k, n) == pytest.approx((1 - hi, 1 - lo))


def test_without_trials_nothing_is_known():
    assert np.isnan(wilson_interval(0, 0)).all()


def test_other_levels():
    assert wilson_interval(7, 10, 0.90)[0] > wilson_interval(7, 10)[0]


@pytest.mark.parametrize(("n", "share"), [(20, 0.5), (32, 0.2), (32, 0.9)])
def test_coverage(n, share):
    found = np.random.default_rng(1).binomial(n, share, 4000)
    ends = np.array([wilson_interval(k, n) for k in range(n + 1)])[found]
    covered = np.mean((ends[:, 0] <= share) & (share <= ends[:, 1]))
    assert 0.92 < covered < 0.985  # exact coverage of a discrete share is not smooth
