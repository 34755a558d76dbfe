import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.aggregation.text.unpaired import welch_differences

once = settings(deadline=None, derandomize=True, max_examples=40)
numbers = st.floats(-100, 100).map(lambda x: round(x, 3))


@once
@given(st.lists(numbers, min_size=3, max_size=8), st.lists(numbers, min_size=3, max_size=8))
def test_welch_is_that_of_scipy(a, b):
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return
    values = np.array([[*a, *b]])
    in_a = np.array([[True] * len(a) + [False] * len(b)])
    found = welch_differences(values, in_a)
    reference = scipy_stats.ttest_ind(a, b, equal_var=False)
    assert found.n[0] == len(a) + len(b)
    assert found.p[0] == pytest.approx(reference.pvalue, rel=1e-9)
    assert (found.lo95[0], found.hi95[0]) == pytest.approx(
        tuple(reference.confidence_interval()), rel=1e-9, abs=1e-9
    )


def test_hedges_g_by_hand():
    # Pooled variance (2·1 + 2·4)/4 = 2.5; J(4) = Γ(2)/(√2 Γ(1.5)) = 0.7979.
    values = np.array([[4.0, 5.0, 6.0, 0.0, 2.0, 4.0]])
    found = welch_differences(values, np.array([[True] * 3 + [False] * 3]))
    assert found.sd[0] == pytest.approx(np.sqrt(2.5))
    assert found.hedges_g[0] == pytest.approx(3 / np.sqrt(2.5) * 0.797885, rel=1e-5)


def test_hedges_g_is_unbiased():
    x = np.random.default_rng(2).normal(0, 1, (10_000, 10))
    x[:, :4] += 0.8
    in_a = np.broadcast_to(np.arange(10) < 4, x.shape)
    g = welch_differences(x, in_a).hedges_g
    assert g.mean() == pytest.approx(0.8, abs=5 * g.std() / 100)


def test_units_without_a_value_are_left_out():
    rng = np.random.default_rng(0)
    known, group = rng.normal(size=(2, 12)), np.tile(np.arange(12) < 5, (2, 1))
    gaps = np.insert(known, 3, np.nan, axis=1)
    wide = np.insert(group, 3, True, axis=1)
    one, other = welch_differences(known, group), welch_differences(gaps, wide)
    for name in ("n", "mean", "sd", "lo95", "hi95", "hedges_g", "p"):
        assert np.allclose(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    "values", [[1.0, np.nan, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], [np.nan, np.nan, 2.0, 3.0]]
)
def test_what_cannot_be_known(values):
    found = welch_differences(np.array([values]), np.array([[True, True, False, False]]))
    assert np.isnan(found.p[0])
    assert np.isnan(found.lo95[0])
    assert np.isnan(found.hedges_g[0])


def test_coverage_and_size_with_unequal_variances():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(1, 3, (4000, 8)), rng.normal(1, 1, (4000, 24))], axis=1)
    found = welch_differences(x, np.broadcast_to(np.arange(32) < 8, x.shape))
    assert np.mean(found.p <= 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean((found.lo95 <= 0) & (found.hi95 >= 0)) == pytest.approx(0.95, abs=0.015)
