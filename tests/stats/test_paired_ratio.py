"""Ratios of means over units, against the t tests that their intervals turn around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnpipe.stats.paired_ratio import PairedRatio, contributions, paired_ratio


def drawn(seed: int, n: int = 12, skill: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = skill + rng.standard_normal(n)
    return 0.4 * x + 0.5 * rng.standard_normal(n), x


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(3, 40), st.sampled_from([0.8, 0.9, 0.95]))
def test_an_interval_holds_what_a_t_test_does_not_reject(seed: int, n: int, level: float) -> None:
    y, x = drawn(seed, n, skill=9.0)
    found = paired_ratio(y, x)
    low, high = found.interval(level)
    assert low < found.value < high
    assert found.value == pytest.approx(y.mean() / x.mean())
    for theta in (low, high):
        p = stats.ttest_1samp(y - theta * x, 0).pvalue
        assert p == pytest.approx(1 - level, rel=1e-6)
        assert found.p_value(theta) == pytest.approx(p)
    for theta in (low - 0.05, high + 0.05):
        assert stats.ttest_1samp(y - theta * x, 0).pvalue < 1 - level


def test_a_certain_denominator_only_scales() -> None:
    y, _ = drawn(1)
    ends = paired_ratio(y, np.full(12, 2.5)).interval()
    assert ends == pytest.approx(stats.t.interval(0.95, 11, y.mean() / 2.5, stats.sem(y) / 2.5))


def test_units_that_lack_either_are_left_out() -> None:
    y, x = drawn(2)
    y[3], x[7] = np.nan, np.nan
    kept = [i for i in range(12) if i not in (3, 7)]
    assert paired_ratio(y, x) == paired_ratio(y[kept], x[kept])
    assert np.isnan(contributions(y, x)[[3, 7]]).all()


def test_where_the_denominator_may_be_zero_any_ratio_may_be_true() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(20)
    x += 0.1 - x.mean()
    found = paired_ratio(rng.standard_normal(20), x)
    assert isinstance(found, PairedRatio)
    assert not np.isnan(found.value)
    assert np.isnan(found.interval()).all()
    assert np.isnan(paired_ratio(x, x - 0.2).value)  # a mean below 0: no ratio


def test_one_unit_has_no_interval() -> None:
    found = paired_ratio(np.array([1.0]), np.array([2.0]))
    assert (found.value, np.isnan(found.interval()).all()) == (0.5, True)


def test_coverage_is_nominal_however_uncertain_the_denominator() -> None:
    """Normal data, a denominator four standard errors from 0: 4,000 data sets of 10 units."""
    rng = np.random.default_rng(0)
    sets, n, truth = 4000, 10, 2.0
    x = 4 / np.sqrt(n) + rng.standard_normal((sets, n))
    y = truth * x + 0.2 * rng.standard_normal((sets, n))
    ends = np.array([paired_ratio(*pair).interval() for pair in zip(y, x, strict=True)])
    known = ~np.isnan(ends).any(axis=1)
    held = ~known | ((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert known.mean() > 0.9
    assert abs(held.mean() - 0.95) < 3 * np.sqrt(0.05 * 0.95 / sets)
