import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats.confidence import CONFIDENCE
from attnpipe.stats.estimate import Estimate, mean_over_seeds, t_quantile

values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(values, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_interval_over_seeds_is_the_t_interval_of_scipy(seeds, confidence):
    x = np.array(seeds)
    estimate = mean_over_seeds(x)
    lo, hi = estimate.interval(confidence)
    with np.errstate(invalid="ignore"):
        reference = scipy_stats.t.interval(confidence, len(x) - 1, x.mean(), scipy_stats.sem(x))
    if np.ptp(x) > 0:
        assert (lo, hi) == pytest.approx(reference, rel=1e-9, abs=1e-9)
    assert lo <= estimate.value <= hi


def test_one_seed_has_a_value_and_no_interval():
    estimate = mean_over_seeds(np.array([3.0]))
    assert estimate.value == 3.0
    assert np.isnan(estimate.interval(0.95)).all()


def test_no_seed_has_no_value():
    assert np.isnan(mean_over_seeds(np.array([])).value)
    assert np.isnan(mean_over_seeds(np.array([np.nan, np.nan])).value)


def test_seeds_without_a_value_are_left_out():
    assert mean_over_seeds(np.array([1.0, np.nan, 3.0])) == mean_over_seeds(np.array([1.0, 3.0]))


def test_interval_over_equal_seeds_has_no_width():
    assert mean_over_seeds(np.array([2.0, 2.0, 2.0])).interval(0.95) == (2.0, 2.0)


def test_unknown_degrees_of_freedom_give_no_interval():
    assert np.isnan(Estimate(1.0, 4.0).interval(0.95)).all()


@pytest.mark.parametrize(
    ("df", "confidence", "t"), [(1.0, 0.95, 12.706), (4.0, 0.95, 2.776), (9.0, 0.90, 1.833)]
)
def test_t_quantiles_are_those_of_printed_tables(df, confidence, t):
    assert t_quantile(df, confidence) == pytest.approx(t, abs=5e-4)


def test_intervals_are_of_95_percent_unless_said_otherwise():
    estimate = Estimate(1.0, 0.25, 7.0)
    lo, hi = scipy_stats.t.interval(0.95, 7, 1.0, 0.5)
    assert estimate.interval() == pytest.approx((lo, hi))
    assert estimate.interval() == estimate.interval(CONFIDENCE)
