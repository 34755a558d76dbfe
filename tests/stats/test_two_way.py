import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnpipe.stats.estimate import mean_over_seeds
from attnpipe.stats.two_way import components, two_way_mean

matrices = st.tuples(st.integers(2, 6), st.integers(2, 7)).flatmap(
    lambda shape: st.tuples(
        arrays(float, shape, elements=st.floats(-100, 100)),
        arrays(float, shape[1], elements=st.floats(0.1, 10)),
    )
)
once = settings(deadline=None, derandomize=True, max_examples=60)


def naive_anova(x):
    """Mean squares of the two-way layout with one value per cell, by loops."""
    n_seeds, n_units = x.shape
    grand = sum(x[s, u] for s in range(n_seeds) for u in range(n_units)) / x.size
    rows = [sum(x[s, u] for u in range(n_units)) / n_units for s in range(n_seeds)]
    columns = [sum(x[s, u] for s in range(n_seeds)) / n_seeds for u in range(n_units)]
    ms_seed = n_units * sum((r - grand) ** 2 for r in rows) / (n_seeds - 1)
    ms_unit = n_seeds * sum((c - grand) ** 2 for c in columns) / (n_units - 1)
    ms_resid = sum(
        (x[s, u] - rows[s] - columns[u] + grand) ** 2
        for s in range(n_seeds)
        for u in range(n_units)
    ) / ((n_seeds - 1) * (n_units - 1))
    return grand, ms_seed / x.size, ms_unit / x.size, ms_resid / x.size


@once
@given(matrices)
def test_equal_weights_give_the_analysis_of_variance(case):
    x, _ = case
    grand, seed, unit, resid = naive_anova(x)
    parts = components(x)
    assert two_way_mean(x).value == pytest.approx(grand, abs=1e-9)
    assert [parts.seed, parts.unit, parts.resid] == pytest.approx([seed, unit, resid], abs=1e-8)
    assert parts.df_seed == x.shape[0] - 1
    assert parts.df_unit == pytest.approx(x.shape[1] - 1)


@once
@given(matrices)
def test_value_is_the_pooled_mean_and_the_floor_holds(case):
    x, w = case
    estimate = two_way_mean(x, w)
    parts = components(x, w)
    assert estimate.value == pytest.approx(np.average(x, axis=1, weights=w).mean(), abs=1e-9)
    assert estimate.variance >= max(parts.seed, parts.unit)
    assert estimate.df >= min(parts.df_seed, parts.df_unit)


@once
@given(matrices, st.floats(-50, 50), st.floats(0.1, 10))
def test_shift_scale_and_order_do_not_matter(case, shift, scale):
    x, w = case
    order = np.random.default_rng(0).permutation(len(w))
    base = two_way_mean(x, w)
    moved = two_way_mean(x[::-1, order] * scale + shift, 7.0 * w[order])
    assert moved.value == pytest.approx(base.value * scale + shift, rel=1e-7, abs=1e-6)
    assert moved.variance == pytest.approx(base.variance * scale**2, rel=1e-5, abs=1e-6)


def test_degrees_of_freedom_of_unequal_units_match_the_matrix_form():
    w = np.random.default_rng(3).uniform(0.1, 3, 11)
    shares = w / w.sum()
    centre = np.eye(11) - np.outer(np.ones(11), shares)
    form = centre.T @ np.diag(shares**2) @ centre
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    assert components(np.zeros((2, 11)), w).df_unit == pytest.approx(expected)


def test_satterthwaite_by_hand():
    x = np.array([[0.0, 3.0, 5.0], [1.0, 3.5, 7.0]])
    _, seed, unit, resid = naive_anova(x)
    total = seed + unit - resid
    assert total > max(seed, unit)
    df = total**2 / (seed**2 / 1 + unit**2 / 2 + resid**2 / 2)
    estimate = two_way_mean(x)
    assert estimate.variance == pytest.approx(total)
    assert estimate.df == pytest.approx(df)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_seed_or_one_unit_has_a_value_without_interval(shape):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    estimate = two_way_mean(x)
    assert estimate.value == x.mean()
    assert np.isnan(estimate.variance)
    assert np.isnan(estimate.interval(0.95)).all()


def test_units_without_weight_do_not_count():
    x = np.random.default_rng(0).normal(size=(4, 6))
    w = np.array([1.0, 1, 1, 1, 0, 0])
    part = two_way_mean(x[:, :4])
    whole = two_way_mean(x, w)
    assert (whole.value, whole.variance, whole.df) == pytest.approx(
        (part.value, part.variance, part.df)
    )


def test_no_spread_gives_no_width():
    assert two_way_mean(np.full((3, 4), 2.5)).interval(0.95) == (2.5, 2.5)


def test_an_unknown_value_makes_the_result_unknown():
    x = np.ones((3, 4))
    x[1, 2] = np.nan
    assert np.isnan(two_way_mean(x).value)
    assert np.isnan(two_way_mean(x).interval(0.95)).all()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="non-negative"):
        two_way_mean(np.ones((2, 2)), np.array(weights))


DRAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
}


@pytest.mark.parametrize("tails", DRAWS)
@pytest.mark.parametrize(
    ("sd_seed", "sd_unit", "sd_resid"),
    [(1.0, 0.0, 0.3), (0.05, 1.0, 0.3), (0.3, 0.5, 0.5), (0.0, 0.0, 1.0)],
    ids=["seed-dominated", "unit-dominated", "mixed", "residual only"],
)
def test_interval_covers_the_mean(tails, sd_seed, sd_unit, sd_resid):
    # 1500 repetitions: standard error of a coverage of .95 is .0056; 3.5 of them are .02.
    repetitions, seeds, units = 1500, 5, 24
    rng = np.random.default_rng(2024)
    draw = DRAWS[tails]
    x = (
        sd_seed * draw(rng, (repetitions, seeds, 1))
        + sd_unit * draw(rng, (repetitions, 1, units))
        + sd_resid * draw(rng, (repetitions, seeds, units))
    )
    w = rng.uniform(0.3, 2, units)
    covered = 0
    for values in x:
        lo, hi = two_way_mean(values, w).interval(0.95)
        covered += lo <= 0 <= hi
    coverage = covered / repetitions
    assert coverage >= 0.93
    if sd_seed or sd_unit:  # the floor makes pure residual noise conservative
        assert coverage <= 0.985


def test_seeds_alone_do_not_cover_when_units_dominate():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(800, 1, 24)) + 0.3 * rng.normal(size=(800, 5, 24))
    seeds_only, two_way = 0, 0
    for values in x:
        lo, hi = mean_over_seeds(values.mean(axis=1)).interval(0.95)
        seeds_only += lo <= 0 <= hi
        lo, hi = two_way_mean(values).interval(0.95)
        two_way += lo <= 0 <= hi
    assert seeds_only / 800 < 0.45
    assert two_way / 800 > 0.93
