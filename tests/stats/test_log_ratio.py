import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stats.losses import losses, once

from attnpipe.stats.log_ratio import log_ratio
from attnpipe.stats.two_way import two_way_mean


@once
@given(losses)
def test_ratio_is_the_geometric_mean_of_ratios(case):
    a, b = case
    found = log_ratio(a, b)
    assert found.ratio == pytest.approx(np.prod((a / b) ** (1 / a.size)))
    lo, hi = two_way_mean(np.log(a / b)).interval(0.9)
    assert np.log(found.interval(0.9)) == pytest.approx([lo, hi], abs=1e-6)
    assert found.zeros == 0


@once
@given(losses, st.floats(0.01, 100))
def test_swapping_inverts_and_a_common_unit_cancels(case, unit):
    a, b = case
    found, swapped, scaled = log_ratio(a, b), log_ratio(b, a), log_ratio(unit * a, unit * b)
    lo, hi = found.interval()
    assert swapped.ratio == pytest.approx(1 / found.ratio)
    assert swapped.interval() == pytest.approx((1 / hi, 1 / lo), rel=1e-6)
    assert scaled.interval() == pytest.approx((lo, hi), rel=1e-6)


def test_units_are_weighted():
    a, b = np.array([[2.0, 8.0], [2.0, 8.0]]), np.ones((2, 2))
    assert log_ratio(a, b).ratio == pytest.approx(4)
    assert log_ratio(a, b, np.array([3.0, 1.0])).ratio == pytest.approx(2**1.5)


@pytest.mark.parametrize("zero", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_a_zero_leaves_the_ratio_unknown_and_is_counted(zero):
    a, b = np.full((3, 4), 2.0), np.ones((3, 4))
    a[1, 2], b[1, 2] = zero
    found = log_ratio(a, b)
    assert np.isnan(found.ratio)
    assert np.isnan(found.interval()).all()
    assert found.zeros == 1


def test_a_missing_loss_leaves_the_ratio_unknown_without_a_zero():
    a = np.full((3, 4), 2.0)
    a[0, 0] = np.nan
    found = log_ratio(a, np.ones((3, 4)))
    assert np.isnan(found.ratio)
    assert found.zeros == 0


def test_negative_losses_are_refused():
    with pytest.raises(ValueError, match="negative"):
        log_ratio(np.array([[1.0, -1.0]]), np.ones((1, 2)))


def test_one_seed_has_a_ratio_without_interval():
    found = log_ratio(np.full((1, 3), 3.0), np.ones((1, 3)))
    assert found.ratio == pytest.approx(3)
    assert np.isnan(found.interval()).all()


def test_an_interval_too_wide_for_a_float_ends_at_infinity():
    a = np.array([[1e-300, 1e300], [1e300, 1e300]])
    assert log_ratio(a, np.ones((2, 2))).interval()[1] == np.inf
