"""Ratios of means: Fieller's theorem, against the tests that it turns around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats.ratio import Ratio, RatioEstimate
from attnpipe.stats.two_way import two_way_mean

SEEDS, UNITS = 5, 8


def parts(seed: int, skill: float = 2.0, added: float = 0.1, n: int = SEEDS) -> Ratio:
    rng = np.random.default_rng(seed)
    shares = rng.uniform(1, 3, UNITS)
    units = rng.standard_normal(UNITS)
    x = skill + 0.5 * units + 0.3 * rng.standard_normal((n, 1)) + rng.standard_normal((n, UNITS))
    y = added * x + 0.2 * rng.standard_normal((n, 1)) + 0.2 * rng.standard_normal((n, UNITS))
    return Ratio(y, x, shares / shares.sum())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95]))
def test_an_interval_holds_what_a_test_does_not_reject(seed: int, confidence: float) -> None:
    of = parts(seed, skill=4.0)
    found = of.estimate()
    ends = found.interval(confidence)
    assert ends[0] < found.value < ends[1]
    for theta in ends:
        by_hand = two_way_mean(of.numerator - theta * of.denominator, of.shares).p_value()
        assert by_hand == pytest.approx(1 - confidence, rel=1e-5)
        assert found.p_value(theta) == pytest.approx(by_hand)
    inner = found.interval(confidence - 0.1)
    assert ends[0] < inner[0] < inner[1] < ends[1]


def test_a_denominator_without_error_only_scales() -> None:
    of = parts(3)
    certain = Ratio(of.numerator, np.full((1, UNITS), 2.5), of.shares)
    plain = two_way_mean(of.numerator / 2.5, of.shares)
    found = certain.estimate()
    assert isinstance(found, RatioEstimate)
    assert (found.value, found.df) == pytest.approx((plain.value, plain.df))
    for confidence in (0.9, 0.95):
        assert found.interval(confidence) == pytest.approx(plain.interval(confidence), rel=1e-6)
    assert found.p_value(0.01) == pytest.approx(plain.p_value(0.01))


def test_the_textbook_interval_is_found_where_one_part_of_the_variance_is_all() -> None:
    """Units alone differ: the quadratic of Fieller has both ends as roots."""
    rng = np.random.default_rng(0)
    x, y = 3 + rng.standard_normal(12), 1 + rng.standard_normal(12)
    equal = np.full(12, 1 / 12)
    found = Ratio(np.tile(y, (4, 1)), np.tile(x, (4, 1)), equal).estimate()
    t = 2.2009851600829495  # of 11 degrees of freedom, 97.5 %
    vxx, vxy, vyy = (np.cov(x, y)[i, j] / 12 for i, j in ((0, 0), (0, 1), (1, 1)))
    a = x.mean() ** 2 - t**2 * vxx
    b = x.mean() * y.mean() - t**2 * vxy
    c = y.mean() ** 2 - t**2 * vyy
    root = np.sqrt(b**2 - a * c)
    assert found.interval() == pytest.approx(((b - root) / a, (b + root) / a), rel=1e-6)


def test_a_denominator_that_may_be_nothing_bounds_no_ratio() -> None:
    of = parts(1, skill=0.3)
    low, _ = two_way_mean(of.denominator, of.shares).interval()
    assert low < 0 < two_way_mean(of.denominator, of.shares).value
    found = of.estimate()
    assert np.isnan(found.interval()).all()
    assert not np.isnan(found.value)


def test_what_cannot_be_known_is_nan_and_what_is_certain_has_no_width() -> None:
    one_seed = parts(0, n=1).estimate()
    assert np.isnan(one_seed.interval()).all()
    assert np.isnan(one_seed.p_value())
    of = parts(0)
    worse = Ratio(of.numerator, -of.denominator, of.shares).estimate()
    assert np.isnan([worse.value, *worse.interval(), worse.p_value()]).all()
    same = Ratio(0.5 * of.denominator, of.denominator, of.shares).estimate()
    assert same.interval() == pytest.approx((0.5, 0.5))
    assert same.p_value(0.4) < 0.01
