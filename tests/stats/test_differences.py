"""Sign-flip test, effect size, equivalence, variation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from attnpipe.stats.effect_size import hedges_g
from attnpipe.stats.equivalence import equivalence
from attnpipe.stats.estimate import Estimate, mean_over_seeds
from attnpipe.stats.sign_flip import sign_flip_test
from attnpipe.stats.variation import coefficient_of_variation

once = settings(deadline=None, derandomize=True, max_examples=40)
integers = st.lists(st.integers(-5, 5), min_size=1, max_size=8)


@once
@given(integers)
def test_sign_flip_counts_all_patterns(differences):
    d = np.array(differences, dtype=float)
    sums = [abs(sum(s * v for s, v in zip(signs, differences, strict=True)))
            for signs in product((1, -1), repeat=len(d))]  # fmt: skip
    expected = sum(s >= abs(sum(differences)) for s in sums) / len(sums)
    assert sign_flip_test(d).p == expected


def test_sign_flip_agrees_with_scipy():
    d = np.random.default_rng(0).normal(0.4, 1, 9)
    reference = scipy_stats.permutation_test(
        (d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=10_000,
    )  # fmt: skip
    assert sign_flip_test(d).p == pytest.approx(reference.pvalue)


@pytest.mark.parametrize(("n", "smallest"), [(1, 1.0), (3, 0.25), (5, 0.0625), (8, 0.0078125)])
def test_smallest_attainable_p_is_attained(n, smallest):
    result = sign_flip_test(np.arange(1.0, n + 1))
    assert result.p == result.smallest == smallest


def test_ties_are_counted_in_spite_of_rounding():
    assert sign_flip_test(np.array([0.1, 0.2, -0.3])).p == 1.0
    assert sign_flip_test(np.full(5, 0.1)).p == 0.0625


def test_many_seeds_use_random_flips_that_are_repeatable():
    d = np.random.default_rng(1).normal(0.5, 1, 24)
    first = sign_flip_test(d)
    assert first == sign_flip_test(d)
    assert first != sign_flip_test(d, seed=1)
    assert first.smallest == pytest.approx(1 / 20_000)
    exact = scipy_stats.permutation_test(
        (d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=100_000, rng=np.random.default_rng(2),
    ).pvalue  # fmt: skip
    assert first.p == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize("at_a_time", [1, 100, 2**17, 10**9])
def test_flips_are_the_same_however_many_are_multiplied_at_a_time(monkeypatch, at_a_time):
    d = np.random.default_rng(4).normal(0.3, 1, 41)
    signs = 1 - 2 * np.random.default_rng(0).integers(0, 2, size=(999, 41), dtype=np.int8)
    hits = sum(abs(row @ d) >= abs(d.sum()) for row in signs.astype(float))
    monkeypatch.setattr("attnpipe.stats.sign_flip.SIGNS_AT_A_TIME", at_a_time)
    assert sign_flip_test(d, flips=999).p == (1 + hits) / 1000


def test_random_flips_never_give_zero():
    assert sign_flip_test(np.ones(30)).p == pytest.approx(1 / 20_000)


def test_sign_flip_keeps_its_size():
    # Five symmetric seeds: p ≤ .0625 in 1/16 of the cases; 4000 cases have a standard error .004.
    d = np.random.default_rng(3).standard_t(3, (4000, 5))
    p = np.array([sign_flip_test(row).p for row in d])
    assert (p <= 0.05).sum() == 0
    assert np.mean(p <= 0.0625) == pytest.approx(0.0625, abs=0.012)


def test_no_differences_no_p():
    result = sign_flip_test(np.array([np.nan]))
    assert np.isnan(result.p)
    assert np.isnan(result.smallest)


def test_hedges_g_by_hand():
    # sd = 1, J(4) = Γ(2)/(√2 Γ(1.5)) = 0.7979
    d = np.array([1.0, 2.0, 3.0, 2.0, 2.0])
    assert hedges_g(d) == pytest.approx(2 / d.std(ddof=1) * 0.797885, rel=1e-5)


def test_hedges_g_is_unbiased():
    d = np.random.default_rng(4).normal(0.8, 1, (10_000, 5))
    values = np.array([hedges_g(row) for row in d])
    assert values.mean() == pytest.approx(0.8, abs=5 * values.std() / np.sqrt(10_000))
    assert np.mean(d.mean(axis=1) / d.std(axis=1, ddof=1)) > 0.95  # without the correction


@pytest.mark.parametrize("differences", [[], [1.0], [1.0, 2.0], [0.1 + 0.2, 0.3, 0.3], [0.0] * 5])
def test_hedges_g_is_undefined_for_few_or_equal_differences(differences):
    assert np.isnan(hedges_g(np.array(differences)))


@pytest.mark.parametrize(
    ("value", "se", "expected"),
    [
        (0.0, 0.01, "yes"),
        (0.09, 0.01, "unknown"),
        (0.0, 1.0, "unknown"),
        (1.0, 0.01, "no"),
        (-1.0, 0.01, "no"),
        (0.11, 0.01, "unknown"),
        (0.0, np.nan, "unknown"),
    ],
)
def test_equivalence_needs_evidence_either_way(value, se, expected):
    assert equivalence(Estimate(value, se**2, 4.0), 0.1) == expected


def test_yes_rests_on_the_90_percent_interval_and_no_on_the_95_percent_one():
    estimate = Estimate(0.0, 1.0, 9.0)  # t = 1.833 (90 %), 2.262 (95 %)
    assert equivalence(estimate, 1.84) == "yes"
    assert equivalence(estimate, 1.82) == "unknown"
    far = Estimate(3.0, 1.0, 9.0)
    assert equivalence(far, 0.73) == "no"
    assert equivalence(far, 0.75) == "unknown"


def test_equivalence_at_the_margin_is_claimed_in_a_twentieth_of_cases():
    rng = np.random.default_rng(6)
    d = rng.normal(1.0, 0.5, (4000, 5))  # true difference = margin = 1
    claims = np.mean([equivalence(mean_over_seeds(row), 1.0) == "yes" for row in d])
    assert claims == pytest.approx(0.05, abs=0.012)
    d = rng.normal(0.0, 0.5, (2000, 5))  # sd of seeds = half the margin: claimed in 95 %
    claims = np.mean([equivalence(mean_over_seeds(row), 1.0) == "yes" for row in d])
    assert claims == pytest.approx(0.95, abs=0.02)


def test_variation_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
    expected = [2 / 3 * (1 + 1 / 12), 0.0]
    assert coefficient_of_variation(x).tolist() == pytest.approx(expected)


def test_variation_agrees_with_scipy():
    x = np.random.default_rng(0).uniform(1, 2, (6, 10))
    reference = scipy_stats.variation(x, axis=0, ddof=1) * (1 + 1 / 24)
    assert np.allclose(coefficient_of_variation(x), reference, rtol=1e-12)


def test_variation_is_undefined_for_one_seed_and_for_a_mean_of_zero():
    assert np.isnan(coefficient_of_variation(np.ones((1, 3)))).all()
    assert np.isnan(coefficient_of_variation(np.array([[0.0, 1.0], [0.0, 2.0]]))).tolist() == [
        True,
        False,
    ]


def test_correction_removes_most_of_the_bias_of_five_seeds():
    x = np.random.default_rng(0).normal(1.0, 0.3, (5, 40_000))
    corrected = coefficient_of_variation(x).mean()
    published = (x.std(axis=0) / x.mean(axis=0)).mean()
    assert abs(corrected - 0.3) < 0.01
    assert published < 0.26
