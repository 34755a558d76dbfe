import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats.estimate import mean_over_seeds
from attnpipe.stats.seeds_needed import (
    MOST,
    seeds_needed,
    seeds_needed_by_interval,
    seeds_needed_two_way,
)
from attnpipe.stats.two_way import two_way_mean

once = settings(deadline=None, derandomize=True, max_examples=40)


def naive(mean, sd, margins, confidence):
    distance = min(abs(mean - m) for m in margins)
    for n in range(2, 400):
        if scipy_stats.t.ppf(0.5 + confidence / 2, n - 1) * sd / np.sqrt(n) <= distance:
            return n
    return None


@once
@given(st.integers(0, 10_000), st.integers(2, 8), st.sampled_from([0.9, 0.95]))
def test_smallest_number_is_found_by_counting(seed, n, confidence):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.uniform(1.2, 3), 1, n)
    expected = naive(x.mean(), x.std(ddof=1), (-1, 1), confidence)
    found = seeds_needed(x, -1.0, 1.0, confidence=confidence)
    if expected is not None:
        assert found.seeds == expected
    assert found.distance == pytest.approx(min(abs(x.mean() - 1), abs(x.mean() + 1)))
    assert found.floor == 0


@once
@given(st.integers(0, 10_000), st.integers(2, 8), st.sampled_from([0.9, 0.95]))
def test_the_interval_alone_says_the_same(seed, n, confidence):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.uniform(1.2, 3), 1, n)
    low, high = mean_over_seeds(x).interval(confidence)
    found = seeds_needed_by_interval(
        float(x.mean()), (high - low) / 2, n, -1.0, 1.0, confidence=confidence
    )
    assert found.seeds == seeds_needed(x, -1.0, 1.0, confidence=confidence).seeds


def test_one_replicate_has_no_spread():
    assert seeds_needed_by_interval(1.0, 0.5, 1, 0.0).seeds is None


def test_by_hand():
    # s = 1: t(7) 1/√8 = .836 > .8, t(8) 1/√9 = .769.
    x = np.array([-1.0, 0.0, 1.0]) + 1.8
    assert seeds_needed(x, 1.0).seeds == 9


@once
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_an_interval_that_leaves_the_margin_out_needs_no_more_and_one_that_does_not_does(seed, n):
    x = np.random.default_rng(seed).normal(1.5, 1, n)
    lo, hi = scipy_stats.ttest_1samp(x, 0).confidence_interval()
    found = seeds_needed(x, 1.0).seeds
    decided = not lo <= 1 <= hi
    assert (found is not None and found <= n) == decided


def test_an_estimate_on_the_margin_is_settled_by_no_number():
    x = np.array([0.9, 1.1])
    found = seeds_needed(x, 1.0)
    assert (found.seeds, found.distance, found.floor) == (None, 0.0, 0.0)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, 2.0]])
def test_an_unknown_spread_gives_no_number(values):
    found = seeds_needed(np.array(values), 0.5)
    assert found.seeds is None
    assert np.isnan(found.floor)


def test_equal_seeds_need_two():
    assert seeds_needed(np.full(5, 2.0), 1.0).seeds == 2
    assert seeds_needed_two_way(np.full((3, 4), 2.0), 1.0).seeds == 2


def test_a_margin_must_be_named():
    with pytest.raises(ValueError, match="margin"):
        seeds_needed(np.ones(3))


def table(rng, seeds, units, sd_seed, sd_unit, sd_resid, mean):
    """An exact layout: parts of the variance are those given, up to rounding."""

    def exact(shape, sd):
        x = rng.normal(size=shape)
        x -= x.mean(axis=-1, keepdims=True)
        if len(shape) == 2:
            x -= x.mean(axis=0, keepdims=True)
        df = np.prod([size - 1 for size in shape])
        return x * sd / np.sqrt((x**2).sum() / df)

    a, b = exact((seeds,), sd_seed), exact((units,), sd_unit)
    return mean + a[:, None] + b[None, :] + exact((seeds, units), sd_resid)


@pytest.mark.parametrize("sds", [(1.0, 0.1, 0.5), (0.5, 0.5, 0.5), (0.2, 0.05, 2.0)])
def test_two_way_needs_what_a_table_of_that_size_would_show(sds):
    # Continue the table with seeds that leave mean and mean squares as they are.
    rng = np.random.default_rng(0)
    x = table(rng, 4, 12, *sds, mean=1.0)
    found = seeds_needed_two_way(x, 0.4)
    assert found.seeds is not None
    parts = [s**2 for s in sds]
    for n, wide_enough in ((found.seeds, True), (found.seeds - 1, False)):
        v_seed = parts[0] / n
        v_unit = parts[1] / 12
        v_resid = parts[2] / (n * 12)
        v_unit_alone = max(v_unit - parts[2] / (4 * 12), 0.0)
        v_unit_n = v_unit_alone + v_resid
        v = max(v_seed + v_unit_n - v_resid, v_seed, v_unit_n)
        df = v**2 / (v_seed**2 / (n - 1) + v_unit_n**2 / 11 + v_resid**2 / (11 * (n - 1)))
        df = max(df, min(n - 1, 11))
        half = scipy_stats.t.ppf(0.975, df) * np.sqrt(v)
        assert (half <= 0.6) == wide_enough


def test_two_way_agrees_with_the_interval_at_hand():
    rng = np.random.default_rng(1)
    for _ in range(60):
        x = rng.normal(size=(5, 1)) + rng.normal(size=(1, 9)) + rng.normal(size=(5, 9)) + 1.2
        w = rng.uniform(0.5, 2, 9)
        lo, hi = two_way_mean(x, w).interval()
        at_hand = seeds_needed_two_way(x, 0.0, weights=w)
        if lo > 0 or hi < 0:
            assert at_hand.seeds <= 5
        else:
            assert at_hand.seeds is None or at_hand.seeds > 5


def test_units_that_dominate_are_not_outnumbered_by_seeds():
    rng = np.random.default_rng(2)
    x = table(rng, 5, 8, 0.1, 2.0, 0.1, mean=1.0)
    found = seeds_needed_two_way(x, 0.5)
    assert found.seeds is None
    assert found.floor > found.distance == pytest.approx(0.5)
    expected = scipy_stats.t.ppf(0.975, 7) * np.sqrt((4 - 0.01 / 5) / 8)
    assert found.floor == pytest.approx(expected)
    assert seeds_needed(x.mean(axis=1), 0.5).seeds <= 5  # seeds alone would claim the contrary


def test_almost_on_the_margin_more_seeds_would_do_but_too_many():
    x = table(np.random.default_rng(3), 5, 8, 1.0, 0.0, 1.0, mean=1.0)
    needed = (1.96 / 0.015) ** 2  # sd 1
    assert needed > MOST
    found = seeds_needed_two_way(x, 1.015)
    assert found.seeds is None
    assert found.floor < found.distance
    assert seeds_needed_two_way(x, 1.03).seeds == pytest.approx((1.96 / 0.03) ** 2, rel=0.01)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_two_way_needs_seeds_and_units_to_know(shape):
    found = seeds_needed_two_way(np.ones(shape), 0.5)
    assert found.seeds is None
    assert np.isnan(found.floor)
