import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.paired import paired_differences, sign_flip_p
from attnpipe.stats.sign_flip import sign_flip_test

once = settings(deadline=None, derandomize=True, max_examples=40)
numbers = st.floats(-100, 100).map(lambda x: round(x, 3))
tables = st.integers(2, 12).flatmap(
    lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=4)
)


@once
@given(tables)
def test_interval_and_p_are_those_of_scipy(rows):
    table = np.array(rows)
    found = paired_differences(table)
    for k, row in enumerate(table):
        assert found.n[k] == len(row)
        assert found.mean[k] == pytest.approx(row.mean(), abs=1e-9)
        if np.ptp(row) > 0:
            interval = scipy_stats.ttest_1samp(row, 0).confidence_interval()
            assert (found.lo95[k], found.hi95[k]) == pytest.approx(tuple(interval), abs=1e-9)
            assert found.sd[k] == pytest.approx(np.std(row, ddof=1))
        assert found.hedges_g[k] == pytest.approx(hedges_g(row), nan_ok=True)
        assert found.p[k] == sign_flip_test(row).p


@once
@given(tables)
def test_turning_all_differences_around_turns_the_result_around(rows):
    table = np.array(rows)
    one, other = paired_differences(table), paired_differences(-table)
    assert np.array_equal(one.mean, -other.mean)
    assert np.array_equal(one.lo95, -other.hi95, equal_nan=True)
    assert np.array_equal(one.p, other.p)


def test_many_units_share_random_flips_and_give_the_same_p_as_alone():
    table = np.random.default_rng(0).normal(0.2, 1, (5, 40))
    alone = [sign_flip_test(row).p for row in table]
    assert sign_flip_p(table).tolist() == alone
    assert sign_flip_p(table, seed=1).tolist() != alone


def test_tests_in_chunks_are_the_same(monkeypatch):
    table = np.random.default_rng(0).normal(0.2, 1, (7, 20))
    whole = sign_flip_p(table)
    monkeypatch.setattr("attnpipe.stats.paired.CHUNK_VALUES", 2 * 19_999)
    assert np.array_equal(sign_flip_p(table), whole)


@pytest.mark.parametrize("units", [8, 24])
def test_units_without_a_value_are_left_out(units):
    rng = np.random.default_rng(3)
    known = rng.normal(0.5, 1, (1, units))
    with_gaps = np.insert(known, [1, 4], np.nan, axis=1)
    one, other = paired_differences(known), paired_differences(with_gaps)
    assert other.n.tolist() == [units]
    for name in ("mean", "sd", "lo95", "hi95", "hedges_g"):
        assert getattr(other, name) == pytest.approx(getattr(one, name))
    # Random patterns differ by what is drawn for the gaps.
    assert other.p == pytest.approx(one.p, abs=0 if units < 15 else 0.01)


def test_too_few_units_give_what_can_be_known():
    table = np.array([[2.0, np.nan, np.nan], [1.0, 2.0, np.nan], [np.nan] * 3])
    found = paired_differences(table)
    assert found.n.tolist() == [1, 2, 0]
    assert found.mean[:2].tolist() == [2.0, 1.5]
    assert np.isnan(found.mean[2])
    assert np.isnan(found.sd).tolist() == [True, False, True]
    assert np.isnan(found.lo95).tolist() == [True, False, True]
    assert np.isnan(found.hedges_g).all()
    assert found.p[:2].tolist() == [1.0, 0.5]
    assert np.isnan(found.p[2])


def test_no_difference_at_all_has_no_effect_size_and_p_1():
    found = paired_differences(np.zeros((1, 32)))
    assert (found.lo95[0], found.hi95[0], found.p[0]) == (0.0, 0.0, 1.0)
    assert np.isnan(found.hedges_g[0])


@pytest.mark.parametrize("units", [12, 32])
def test_intervals_cover_and_tests_keep_their_size(units):
    # 2000 tests: standard error of .05 is .005.
    d = np.random.default_rng(5).normal(0.3, 1.0, (2000, units))
    found = paired_differences(d)
    covered = (found.lo95 <= 0.3) & (found.hi95 >= 0.3)
    assert covered.mean() == pytest.approx(0.95, abs=0.017)
    null = sign_flip_p(d - 0.3, flips=1999)
    assert np.mean(null <= 0.05) == pytest.approx(0.05, abs=0.017)
    assert np.mean(found.p <= 0.05) > 0.15  # and it has power
