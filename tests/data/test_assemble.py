"""From series to dataset: no window straddles, nothing of the test reaches training."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.core.errors import UserError
from attnpipe.data.assemble import assemble
from attnpipe.data.series import Feature, Series, step
from attnpipe.schema.data import Windows


def make_series(rows=400, sequences=1, increment=False, seed=0, holes=0.0, zero=False):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(rows, 3)), axis=0)
    sequence = np.sort(rng.integers(0, sequences, rows)) if sequences > 1 else np.zeros(rows, int)
    usable = rng.random(rows) >= holes
    values[~usable] = np.nan
    return Series(
        features=values[:, :2],
        columns=(Feature("a", "m"), Feature("b", "1")),
        target=values[:, 2],
        target_name="y",
        target_unit="m",
        increment=increment,
        zero=zero,
        by_time=sequences == 1,
        sequence=sequence.astype(np.int64),
        sequence_names=tuple(f"s{i:02d}" for i in range(sequences)),
        usable=usable,
        follows=rng.random(rows) >= holes,
        rate_hz=1.0,
        label=lambda row: f"row {row}",
        source={"file": "made up"},
    )


def make_spec(**changes):
    options = {
        "name": "made",
        "window": 5,
        "lead": 2,
        "probe_samples": 4,
        "validation_fraction": 0.2,
        "test_fraction": 0.2,
        "unit_hours": 20 / 3600,
    }
    return Windows(**(options | changes))


cases = st.fixed_dictionaries(
    {
        "sequences": st.sampled_from([1, 1, 12]),
        "increment": st.booleans(),
        "seed": st.integers(0, 1000),
        "holes": st.sampled_from([0.0, 0.02]),
    }
)


@given(cases, st.integers(2, 8), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_no_window_straddles_a_split_a_sequence_or_a_gap(case, window, lead, stride, evaluation):
    series = make_series(600, **case)
    spec = make_spec(window=window, lead=lead, stride=stride, evaluation_stride=evaluation)
    dataset = assemble(series, spec)
    seen = {}
    for split, ends in dataset.splits.items():
        assert len(ends) > 0
        assert (np.diff(ends) > 0).all()
        rows = ends[:, None] + np.arange(1 - window, lead + 1)
        assert series.usable[rows].all()
        assert series.follows[rows[:, 1:]].all()
        assert (series.sequence[rows] == series.sequence[ends][:, None]).all()
        seen[split] = set(rows.ravel().tolist())
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]
    assert not seen["train"] & seen["test"]
    if series.by_time:
        assert min(seen["validation"]) - max(seen["train"]) > window + lead
        assert min(seen["test"]) - max(seen["validation"]) > window + lead
    else:
        held = [set(series.sequence[sorted(rows)].tolist()) for rows in seen.values()]
        assert sum(map(len, held)) == len(set.union(*held))


@given(cases, st.integers(1, 4))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_targets_and_trivial_forecasts_equal_a_loop(case, lead):
    series = make_series(600, **case)
    dataset = assemble(series, make_spec(lead=lead))
    expected_mean = []
    for split, ends in dataset.splits.items():
        for end in ends.tolist():
            level = series.target[end]
            value = series.target[end + lead] - (level if series.increment else 0.0)
            assert dataset.target[end] == np.float32(value)
            persistence = 0.0 if series.increment else level
            assert dataset.trivial["persistence"][end] == np.float32(persistence)
            if split == "train":
                expected_mean.append(value)
    assert dataset.target_mean == pytest.approx(np.mean(expected_mean))
    assert dataset.target_scale == pytest.approx(np.std(expected_mean))
    known = ~np.isnan(dataset.target)
    np.testing.assert_array_equal(
        dataset.trivial["train_mean"][known], np.float32(dataset.target_mean)
    )


@pytest.mark.parametrize("sequences", [1, 12])
def test_changing_what_training_does_not_see_changes_nothing_it_sees(sequences):
    series = make_series(600, sequences=sequences)
    before = assemble(series, make_spec())
    window, lead = 5, 2
    train = before.splits["train"]
    if sequences == 1:
        touched = np.arange(len(series.target)) > train.max() + lead
    else:
        touched = ~np.isin(series.sequence, series.sequence[train])
    assert touched.sum() > 100
    changed = replace(
        series,
        features=np.where(touched[:, None], 1e3 - series.features, series.features),
        target=np.where(touched, -50 * series.target, series.target),
    )
    after = assemble(changed, make_spec())
    np.testing.assert_array_equal(after.windows(train), before.windows(train))
    np.testing.assert_array_equal(after.target[train], before.target[train])
    assert after.target_mean == before.target_mean
    assert after.target_scale == before.target_scale
    assert after.description["features"] == before.description["features"]
    test = before.splits["test"]
    assert (after.windows(test) != before.windows(test)).any()
    assert window == before.window


def test_features_have_mean_0_and_sd_1_over_the_training_rows():
    series = make_series(600)
    dataset = assemble(series, make_spec())
    rows = np.arange(dataset.splits["train"].max() + 2 + 1)
    np.testing.assert_allclose(dataset.features[rows].mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(dataset.features[rows].std(axis=0), 1.0, atol=1e-5)
    back = [(f["mean"], f["scale"]) for f in dataset.description["features"]]
    restored = dataset.features * [s for _, s in back] + [m for m, _ in back]
    np.testing.assert_allclose(restored, series.features, rtol=1e-5, atol=1e-4)


def test_constant_feature_is_centred_and_named():
    series = make_series()
    features = series.features.copy()
    features[:, 1] = 7.3
    dataset = assemble(replace(series, features=features), make_spec())
    assert dataset.description["constant_features"] == ["b"]
    np.testing.assert_allclose(dataset.features[:, 1], 0.0, atol=1e-6)


def test_probe_is_spread_over_validation_in_interleaved_halves():
    dataset = assemble(make_series(600), make_spec(probe_samples=10))
    validation = dataset.splits["validation"]
    assert set(dataset.probe.tolist()) <= set(validation.tolist())
    assert (dataset.probe[0], dataset.probe[-1]) == (validation[0], validation[-1])
    steps = np.diff(dataset.probe)
    assert steps.max() - steps.min() <= 1
    assert dataset.halves.tolist() == [0, 1] * 5


@pytest.mark.parametrize(
    ("series", "lead", "expected"),
    [
        ({}, 0, {"train_mean"}),
        ({"zero": True}, 0, {"train_mean", "zero"}),
        ({"zero": True}, 2, {"train_mean", "zero", "persistence"}),
        ({"increment": True}, 2, {"train_mean", "persistence"}),
    ],
)
def test_trivial_forecasts_are_those_that_mean_something(series, lead, expected):
    dataset = assemble(make_series(**series), make_spec(lead=lead))
    assert set(dataset.trivial) == expected
    assert dataset.description["trivial"] == sorted(expected)


def test_units_are_blocks_of_the_test_or_whole_sequences():
    by_block = assemble(make_series(600), make_spec(unit_hours=20 / 3600))
    assert len(by_block.units) == len(by_block.splits["test"])
    start = by_block.splits["test"][0]
    assert by_block.units.tolist() == ((by_block.splits["test"] - start) // 20).tolist()
    assert by_block.unit_names[1] == f"row {start + 20}"
    series = make_series(600, sequences=12)
    by_sequence = assemble(series, make_spec(unit_hours=None))
    assert by_sequence.unit_names == by_sequence.sequence_names
    names = [by_sequence.unit_names[unit] for unit in by_sequence.units]
    test = series.sequence[by_sequence.splits["test"]]
    assert names == [series.sequence_names[i] for i in test]


@pytest.mark.parametrize(
    ("label", "hours", "names"),
    [
        ("day", 24, ["2020-01-16", "2020-01-17", "2020-01-18", "2020-01-19"]),
        ("day", 12, [f"2020-01-{16 + i // 2}T{'00' if i % 2 == 0 else '12'}:00" for i in range(8)]),
        ("Track", 24, [f"Track row {row}" for row in (360, 384, 408, 432)]),
    ],
)
def test_units_are_named_by_day_where_that_tells_them_apart(label, hours, names):
    dates = np.datetime64("2020-01-01T00:00", "m") + np.arange(600) * np.timedelta64(60, "m")
    series = replace(
        make_series(600),
        rate_hz=1 / 3600,
        label=lambda row: str(dates[row]) if label == "day" else f"{label} row {row}",
    )
    spec = make_spec(unit_hours=hours, window=2, lead=1, test_fraction=244 / 600)
    assert list(assemble(series, spec).unit_names)[: len(names)] == names


def test_description_is_plain_json_with_counts():
    dataset = assemble(make_series(600, holes=0.02), make_spec())
    facts = json.loads(json.dumps(dict(dataset.description), allow_nan=False))
    assert facts["splits"]["train"]["windows"] == len(dataset.splits["train"])
    assert facts["units"]["count"] == len(dataset.unit_names)
    assert facts["target"]["unit"] == "m"
    assert facts["gap_rows"] == 7
    assert facts["step"] == {"value": 1, "unit": "s"}


@pytest.mark.parametrize(
    ("series", "spec", "message"),
    [
        ({"rows": 100}, {"window": 80}, "data.window=80 .* needs 82 rows .* training data has 60"),
        ({"rows": 100}, {"window": 15}, "data.window=15 .* in the validation data has 3"),
        ({"holes": 0.5}, {"window": 30}, "data.window=30 with data.lead=2 needs 32 rows"),
        ({}, {"probe_samples": 100}, "data.probe_samples=100 but validation has only 67 windows"),
        ({}, {"unit_hours": 1.0}, "less than half of the 3600 rows .*lower data.unit_hours"),
        ({}, {"unit_hours": None}, "data.unit_hours is null but there is one series only"),
        ({"sequences": 2}, {}, "2 sequences cannot be split"),
    ],
)
def test_what_does_not_fit_is_named_with_value_and_cure(series, spec, message):
    with pytest.raises(UserError, match=message):
        assemble(make_series(**series), make_spec(**spec))


def test_constant_target_is_refused():
    series = make_series()
    with pytest.raises(UserError, match="the target 'y' is 4 in all"):
        assemble(replace(series, target=np.full_like(series.target, 4.0)), make_spec())


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (10.0, {"value": 0.1, "unit": "s"}),
        (1.0, {"value": 1.0, "unit": "s"}),
        (1 / 60, {"value": 1, "unit": "min"}),
        (1 / 3600, {"value": 1, "unit": "h"}),
        (1 / 7200, {"value": 2, "unit": "h"}),
        (1 / 86400, {"value": 1, "unit": "d"}),
        (1 / 90, {"value": 90.0, "unit": "s"}),
    ],
)
def test_time_of_a_row_is_told_in_a_readable_unit(rate, expected):
    assert step(rate) == expected
