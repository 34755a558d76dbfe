import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.stats.losses import losses, once

from attnpipe.stats.log_of_means import log_of_means
from attnpipe.stats.two_way import two_way_mean


@once
@given(losses)
def test_it_is_the_mean_logarithm_of_the_seeds_ratios(case):
    a, b = case
    assert log_of_means(a, b).value == pytest.approx(np.log(a.mean(1) / b.mean(1)).mean(), abs=1e-9)


@once
@given(losses, st.floats(0.01, 100))
def test_swapping_turns_the_sign_and_a_common_unit_cancels(case, unit):
    a, b = case
    lo, hi = log_of_means(a, b).interval()
    assert log_of_means(b, a).interval() == pytest.approx((-hi, -lo), abs=1e-6)
    assert log_of_means(unit * a, unit * b).interval() == pytest.approx((lo, hi), abs=1e-6)


def test_where_units_agree_it_is_the_t_interval_of_the_logarithms():
    ratios = np.array([3.4, 1.3, 0.8, 5.7, 0.7])
    b = np.outer(np.arange(1.0, 6.0), np.ones(7))
    found = log_of_means(ratios[:, None] * b, b)
    logs = np.log(ratios)
    want = stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs))
    assert found.interval() == pytest.approx(want)


def test_to_first_order_units_count_as_in_the_ratio_of_their_means():
    """A small change of one unit's weight moves the value as the linear term says."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, (2, 3, 5))
    linear = a / a.mean(1, keepdims=True) - b / b.mean(1, keepdims=True)
    eps = 1e-6
    for unit in range(5):
        w = np.ones(5)
        w[unit] += eps
        moved = (log_of_means(a, b, w).value - log_of_means(a, b).value) / eps
        assert moved == pytest.approx(linear[:, unit].mean() / 5, abs=1e-5)
    z = np.log(a.mean(1) / b.mean(1))[:, None] + linear
    assert log_of_means(a, b).interval() == pytest.approx(two_way_mean(z).interval())


def test_units_are_weighted():
    a, b = np.array([[2.0, 8.0], [2.0, 8.0]]), np.ones((2, 2))
    assert log_of_means(a, b).value == pytest.approx(np.log(5))
    assert log_of_means(a, b, np.array([3.0, 1.0])).value == pytest.approx(np.log(3.5))


def test_a_zero_among_the_units_does_no_harm_and_a_mean_of_zero_is_unknown():
    a, b = np.full((3, 4), 2.0), np.ones((3, 4))
    b[1, 2] = 0.0
    assert np.isfinite(log_of_means(a, b).interval()).all()
    b[1] = 0.0
    assert np.isnan(log_of_means(a, b).value)
