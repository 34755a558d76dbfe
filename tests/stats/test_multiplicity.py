import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm

once = settings(deadline=None, derandomize=True, max_examples=80)
METHODS = [holm, benjamini_hochberg, benjamini_yekutieli]
several = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def naive_holm(p):
    """By stepping down: the least level at which each is rejected."""
    out = []
    for own in p:
        steps = [(len(p) - rank) * q for rank, q in enumerate(sorted(p)) if q <= own]
        out.append(min(1.0, max(steps)))
    return out


def naive_bh(p, factor=1.0):
    out = []
    for own in p:
        above = [len(p) * factor * q / sum(r <= q for r in p) for q in p if q >= own]
        out.append(min(1.0, min(above)))
    return out


@once
@given(several)
def test_adjusted_p_are_those_of_the_definitions(p):
    harmonic = sum(1 / k for k in range(1, len(p) + 1))
    values = np.array(p)
    assert holm(values).tolist() == pytest.approx(naive_holm(p))
    assert benjamini_hochberg(values).tolist() == pytest.approx(naive_bh(p))
    assert benjamini_yekutieli(values).tolist() == pytest.approx(naive_bh(p, harmonic))


@once
@given(several, st.randoms(use_true_random=False))
def test_adjusted_p_keep_order_are_not_smaller_and_do_not_depend_on_it(p, random):
    values = np.array(p)
    order = list(range(len(p)))
    random.shuffle(order)
    for method in METHODS:
        adjusted = method(values)
        assert np.all(adjusted >= values - 1e-15)
        assert np.all((adjusted >= 0) & (adjusted <= 1))
        assert np.all(np.diff(adjusted[np.argsort(values)]) >= -1e-15)
        assert np.allclose(method(values[order]), adjusted[order], rtol=1e-12, atol=0)
    assert np.all(benjamini_hochberg(values) <= holm(values) + 1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_not_tested_does_not_count(method):
    known = np.array([0.01, 0.04, 0.3])
    gaps = np.array([np.nan, 0.01, 0.04, np.nan, 0.3])
    adjusted = method(gaps)
    assert np.isnan(adjusted).tolist() == [True, False, False, True, False]
    assert adjusted[[1, 2, 4]].tolist() == method(known).tolist()
    assert np.isnan(method(np.array([np.nan, np.nan]))).all()
    assert method(np.array([])).tolist() == []


def test_by_hand():
    p = np.array([0.01, 0.02, 0.03, 0.04])
    assert holm(p).tolist() == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert benjamini_hochberg(p).tolist() == pytest.approx([0.04] * 4)
    assert benjamini_yekutieli(p).tolist() == pytest.approx([0.04 * 25 / 12] * 4)


def test_false_rejections_are_bounded_where_nothing_is_true():
    p = np.random.default_rng(0).uniform(size=(2000, 20))
    for method in METHODS:
        any_rejected = np.mean([method(row).min() <= 0.05 for row in p])
        assert any_rejected <= 0.05 + 0.015
    assert np.mean(p.min(axis=1) <= 0.05) > 0.6  # without adjustment
