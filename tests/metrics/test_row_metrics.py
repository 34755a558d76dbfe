"""Every row metric against naive float64 references, known values and its range."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.cases import KINDS, as_torch, make_block, one_row
from tests.metrics.reference import reference, reference_row

from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.schema.analysis import MetricsSpec

OPTIONS = MetricsSpec(top_k=[1, 3, 5, 10, 20], recent_k=[1, 3, 5, 10, 20])
KS = (1, 3, 5, 10, 20)
METRICS = row_metrics(OPTIONS)
NAMES = list(METRICS)


def compute(block, name):
    rows = Rows.from_block(block, 1e-5)
    value = np.broadcast_to(to_numpy(METRICS[name](rows)), rows.reason.shape)
    return np.where(to_numpy(rows.valid), value, np.nan)


def value_of(name, weights, support=None):
    return float(compute(one_row(weights, support), name)[0, 0, 0])


def test_default_names_and_order():
    assert list(row_metrics(MetricsSpec())) == [
        *("entropy", "entropy_normalized", "effective_keys_n1", "effective_keys_n2"),
        *("kl_uniform", "row_std_normalized", "gini"),
        *("top_mass_5", "top_mass_10", "top_mass_20"),
        *("top_excess_5", "top_excess_10", "top_excess_20"),
        *("recent_mass_5", "recent_mass_10", "recent_mass_20"),
        *("recent_excess_5", "recent_excess_10", "recent_excess_20"),
        *("recency_contrast", "recent_distant_ratio"),
        *("lag_mean", "lag_mean_ratio", "lag_spread", "max_weight"),
    ]


@pytest.mark.parametrize("convert", [lambda b: b, as_torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_metrics_agree_with_naive_loops(kind, convert):
    block = make_block(kind, keys=9)
    expected = reference(block, KS)
    for name in NAMES:
        np.testing.assert_allclose(
            compute(convert(block), name), expected[name], rtol=1e-10, atol=1e-12, err_msg=name
        )


def test_float32_weights_are_measured_in_float64():
    block = make_block("causal", keys=30)
    stored = type(block)(block.weights.astype(np.float32), *list(vars(block).values())[1:])
    expected = reference(stored, KS)
    for name in NAMES:
        result = compute(stored, name)
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, expected[name], rtol=1e-10, atol=1e-12, err_msg=name)


UNIFORM = {
    "entropy": math.log(8),
    "entropy_normalized": 1.0,
    "effective_keys_n1": 8.0,
    "effective_keys_n2": 8.0,
    "kl_uniform": 0.0,
    "row_std_normalized": 0.0,
    "gini": 0.0,
    "top_mass_3": 3 / 8,
    "top_excess_3": 0.0,
    "recent_mass_3": 3 / 8,
    "recent_excess_3": 0.0,
    "recency_contrast": 0.0,
    "recent_distant_ratio": 1.0,
    "lag_mean": 3.5,
    "lag_mean_ratio": 1.0,
    "lag_spread": math.sqrt((8**2 - 1) / 12),
    "max_weight": 1 / 8,
    "top_mass_10": 1.0,
    "top_excess_10": math.nan,
    "recent_excess_10": math.nan,
}
ONE_HOT_NEWEST = {
    "entropy": 0.0,
    "entropy_normalized": 0.0,
    "effective_keys_n1": 1.0,
    "effective_keys_n2": 1.0,
    "kl_uniform": math.log(8),
    "row_std_normalized": 1.0,
    "gini": 1.0,
    "top_mass_3": 1.0,
    "top_excess_3": 1.0,
    "recent_mass_3": 1.0,
    "recent_excess_3": 1.0,
    "recency_contrast": 1.0,
    "recent_distant_ratio": math.nan,
    "lag_mean": 0.0,
    "lag_mean_ratio": 0.0,
    "lag_spread": 0.0,
    "max_weight": 1.0,
}
ONE_HOT_OLDEST = {
    "recent_mass_3": 0.0,
    "recent_excess_3": -3 / 5,
    "recency_contrast": -1.0,
    "recent_distant_ratio": 0.0,
    "lag_mean": 7.0,
    "lag_mean_ratio": 2.0,
}
SINGLE_KEY = {
    "entropy": 0.0,
    "entropy_normalized": math.nan,
    "effective_keys_n1": 1.0,
    "effective_keys_n2": 1.0,
    "kl_uniform": 0.0,
    "row_std_normalized": math.nan,
    "gini": math.nan,
    "top_mass_1": 1.0,
    "top_excess_1": math.nan,
    "recent_mass_1": 1.0,
    "recent_excess_1": math.nan,
    "recency_contrast": math.nan,
    "recent_distant_ratio": math.nan,
    "lag_mean_ratio": math.nan,
    "lag_spread": 0.0,
    "max_weight": 1.0,
}
KNOWN = {
    "uniform": ([1 / 8] * 8, UNIFORM),
    "one_hot_newest": ([0.0] * 7 + [1.0], ONE_HOT_NEWEST),
    "one_hot_oldest": ([1.0] + [0.0] * 7, ONE_HOT_OLDEST),
    "single_key": ([1.0], SINGLE_KEY),
    "no_mass_at_either_end": ([0, 0.5, 0.5, 0], {"recency_contrast": math.nan}),
    "three_keys_have_no_quarters": ([0.2, 0.3, 0.5], {"recency_contrast": math.nan}),
    "tie_of_two": ([0.5, 0.5, 0, 0], {"gini": 2 / 3, "effective_keys_n2": 2.0, "max_weight": 0.5}),
}


@pytest.mark.parametrize(
    ("weights", "name", "expected"),
    [
        pytest.param(weights, name, value, id=f"{case}-{name}")
        for case, (weights, values) in KNOWN.items()
        for name, value in values.items()
    ],
)
def test_known_value(weights, name, expected):
    assert value_of(name, weights) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def test_recency_goes_by_position_not_by_index():
    block = make_block("causal", keys=9)
    order = np.random.default_rng(1).permutation(9)
    shuffled = type(block)(
        block.weights[..., order],
        block.support[..., order],
        block.query_positions,
        block.key_positions[order],
        block.samples,
    )
    for name in NAMES:
        np.testing.assert_allclose(
            compute(shuffled, name), compute(block, name), rtol=1e-12, atol=1e-13, err_msg=name
        )


def test_a_single_key_in_the_past_has_a_lag_but_no_ratio():
    assert value_of("lag_mean", [1.0, 0.0, 0.0], [True, False, False]) == 2.0
    assert math.isnan(value_of("lag_mean_ratio", [1.0, 0.0, 0.0], [True, False, False]))


def test_newest_keys_are_the_newest_of_the_support():
    support = [True, True, False, True, False, True, False, False]
    assert value_of("recent_mass_1", [0.1, 0.2, 0, 0.3, 0, 0.4, 0, 0], support) == pytest.approx(
        0.4
    )
    assert value_of("recent_mass_3", [0.1, 0.2, 0, 0.3, 0, 0.4, 0, 0], support) == pytest.approx(
        0.9
    )


@pytest.mark.parametrize("name", NAMES)
def test_masked_keys_change_nothing(name):
    block = make_block("gaps")
    junk = np.zeros((*block.weights.shape[:-1], 2))
    longer = type(block)(
        np.concatenate([junk, block.weights, junk], axis=-1),
        np.concatenate([junk[0] > 0, block.support, junk[0] > 0], axis=-1),
        block.query_positions,
        np.concatenate([[0, 1], block.key_positions, [90, 91]]),
        block.samples,
    )
    np.testing.assert_allclose(compute(longer, name), compute(block, name), rtol=1e-12, atol=1e-14)


def test_causal_uniform_rows_are_uniform_by_their_own_support():
    weights = np.tril(np.ones((50, 50)))
    weights /= weights.sum(axis=-1, keepdims=True)
    positions = np.arange(50)
    block = type(make_block("full"))(
        weights[None, None], (weights > 0)[None], positions, positions, np.zeros(1, np.int64)
    )
    own = compute(block, "entropy_normalized")[0, 0]
    np.testing.assert_allclose(own[1:], 1.0, rtol=1e-14)
    assert np.isnan(own[0])
    by_window = compute(block, "entropy")[0, 0].mean() / math.log(50)
    assert by_window == pytest.approx(0.76, abs=0.005)  # what dividing by ln T would say
    np.testing.assert_allclose(compute(block, "lag_mean")[0, 0], np.arange(50) / 2, atol=1e-12)
    np.testing.assert_allclose(compute(block, "lag_mean_ratio")[0, 0][1:], 1.0, rtol=1e-13)


@pytest.mark.parametrize(("n", "bound"), [(8, 0.331), (128, 0.088), (1024, 0.031)])
def test_row_std_reaches_its_bound_for_one_hot_rows(n, bound):
    row = [1.0] + [0.0] * (n - 1)
    assert np.std(row) == pytest.approx(bound, abs=5e-4)
    assert value_of("row_std_normalized", row) == pytest.approx(1.0, rel=1e-12)


rows_on_support = st.lists(
    st.tuples(st.one_of(st.just(0.0), st.floats(1e-6, 1.0)), st.booleans()), min_size=1, max_size=30
).filter(lambda cells: sum(w for w, seen in cells if seen) > 1e-3)


def normalised(cells):
    support = [seen for _, seen in cells]
    total = sum(w for w, seen in cells if seen)
    return [w / total if seen else 0.0 for w, seen in cells], support


@given(rows_on_support)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_row_is_consistent_and_agrees_with_the_reference(cells):
    weights, support = normalised(cells)
    block = one_row(weights, support)
    value = {name: float(compute(block, name)[0, 0, 0]) for name in NAMES}
    seen = [i for i, s in enumerate(support) if s]
    expected = reference_row([weights[i] for i in seen], seen, len(weights) - 1, KS)
    for name in NAMES:
        if name not in ("recent_distant_ratio", "lag_mean_ratio"):
            assert value[name] == pytest.approx(expected[name], rel=1e-7, abs=1e-7, nan_ok=True)
    n, slack = len(seen), 1 + 1e-12
    assert value["effective_keys_n2"] * slack >= 1
    assert value["effective_keys_n2"] <= value["effective_keys_n1"] * slack
    assert value["effective_keys_n1"] <= n * slack
    assert 0 <= value["entropy"] <= math.log(n)
    assert 0 <= value["kl_uniform"] <= math.log(n)
    total_variation = 0.5 * sum(abs(weights[i] - 1 / n) for i in seen)
    assert total_variation <= math.sqrt(value["kl_uniform"] / 2) + 1e-7
    assert 1 / n <= value["max_weight"] * slack
    spread = value["lag_spread"]
    assert 0 <= spread <= (len(weights) - 1) / 2 * slack
    if n > 1:
        implied_n2 = 1 / (n * (value["row_std_normalized"] * math.sqrt(n - 1) / n) ** 2 + 1 / n)
        assert implied_n2 == pytest.approx(value["effective_keys_n2"], rel=1e-9)
    for name in NAMES:
        low, high = RANGES[name.rstrip("0123456789").rstrip("_")]
        assert math.isnan(value[name]) or low - 1e-12 <= value[name] <= high + 1e-12, name


inf = math.inf
RANGES = {
    "entropy": (0, inf),
    "entropy_normalized": (0, 1),
    "effective_keys_n": (1, inf),
    "kl_uniform": (0, inf),
    "row_std_normalized": (0, 1),
    "gini": (0, 1),
    "top_mass": (0, 1),
    "top_excess": (0, 1),
    "recent_mass": (0, 1),
    "recent_excess": (-inf, 1),
    "recency_contrast": (-1, 1),
    "recent_distant_ratio": (0, inf),
    "lag_mean": (-inf, inf),
    "lag_mean_ratio": (-inf, inf),
    "lag_spread": (0, inf),
    "max_weight": (0, 1),
}
