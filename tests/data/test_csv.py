"""Any table as data: one series by time, many by sequence."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from attnpipe.core.errors import UserError
from attnpipe.data.prepare import prepare
from attnpipe.schema.data import CsvData


def table(rows=300, seed=0, start=0.0):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(rows, 3)), axis=0)
    return pl.DataFrame(
        {
            "seconds": start + np.arange(rows) * 0.5,
            **{name: values[:, i] for i, name in enumerate("abc")},
        }
    )


def make_spec(path, **changes):
    options = {"kind": "csv", "name": "mine", "path": str(path), "features": ["a", "b"]}
    options |= {"target": "c", "window": 6, "lead": 2, "probe_samples": 4, "rate_hz": 2.0}
    return CsvData(**(options | changes))


def test_one_file_is_split_by_time_into_blocks(tmp_path):
    frame = table()
    frame.write_csv(tmp_path / "x.csv")
    spec = make_spec(tmp_path / "x.csv", unit_hours=10 / 7200, time="seconds", units={"c": "V"})
    dataset = prepare(spec, cache=tmp_path)
    ends = np.concatenate(list(dataset.splits.values()))
    expected = frame["c"].to_numpy()[ends + 2].astype(np.float32)
    np.testing.assert_array_equal(dataset.target[ends], expected)
    assert np.bincount(dataset.units)[0] == 10
    assert dataset.description["split_by"] == "time"
    assert dataset.description["target"]["name"] == "c after 1 s"
    assert dataset.description["target"]["unit"] == "V"
    assert set(dataset.trivial) == {"train_mean", "persistence"}


def test_increment_is_the_change_and_persistence_is_zero(tmp_path):
    frame = table()
    frame.write_csv(tmp_path / "x.csv")
    spec = make_spec(tmp_path / "x.csv", unit_hours=1 / 360, increment=True)
    dataset = prepare(spec, cache=tmp_path)
    ends, c = dataset.splits["test"], frame["c"].to_numpy()
    np.testing.assert_array_equal(dataset.target[ends], (c[ends + 2] - c[ends]).astype(np.float32))
    assert (dataset.trivial["persistence"][ends] == 0).all()
    assert dataset.description["target"]["name"] == "Δc over 1 s"


def test_the_target_may_be_among_the_features(tmp_path):
    frame = table()
    frame.write_csv(tmp_path / "x.csv")
    spec = make_spec(tmp_path / "x.csv", unit_hours=1 / 360, features=["c", "a"])
    dataset = prepare(spec, cache=tmp_path)
    c = dataset.description["features"][0]
    np.testing.assert_allclose(
        dataset.features[:, 0] * c["scale"] + c["mean"], frame["c"], rtol=1e-4, atol=1e-4
    )


def test_a_folder_and_a_sequence_column_give_the_same_windows(tmp_path):
    folder, file = tmp_path / "many", tmp_path / "one.csv"
    folder.mkdir()
    frames = {f"run{i}": table(40, seed=i) for i in range(8)}
    for name, frame in frames.items():
        frame.write_csv(folder / f"{name}.csv")
    pl.concat([f.with_columns(run=pl.lit(n)) for n, f in frames.items()]).write_csv(file)
    by_file = prepare(make_spec(folder), cache=tmp_path)
    by_column = prepare(make_spec(file, sequence="run"), cache=tmp_path)
    assert by_file.unit_names == by_column.unit_names
    assert set(by_file.unit_names) < set(frames)
    np.testing.assert_array_equal(by_file.features, by_column.features)
    for split, ends in by_file.splits.items():
        np.testing.assert_array_equal(ends, by_column.splits[split])
        assert set((ends // 40).tolist()).isdisjoint(
            (np.concatenate([e for s, e in by_file.splits.items() if s != split]) // 40).tolist()
        )


def test_interleaved_sequences_are_told_apart(tmp_path):
    frames = [table(40, seed=i).with_columns(run=pl.lit(f"r{i}")) for i in range(6)]
    mixed = pl.concat([f.with_row_index("row") for f in frames]).sort("row", maintain_order=True)
    mixed.write_csv(tmp_path / "x.csv")
    dataset = prepare(make_spec(tmp_path / "x.csv", sequence="run"), cache=tmp_path)
    c = pl.concat(frames)["c"].to_numpy()
    for ends in dataset.splits.values():
        np.testing.assert_array_equal(dataset.target[ends], c[ends + 2].astype(np.float32))


def test_windows_stay_clear_of_jumps_in_time(tmp_path):
    frame = pl.concat([table(100), table(200, seed=1, start=500.0)])
    frame.write_csv(tmp_path / "x.csv")
    spec = make_spec(tmp_path / "x.csv", time="seconds", unit_hours=1 / 360)
    ends = prepare(spec, cache=tmp_path).splits["train"]
    assert not ((ends + 2 >= 100) & (ends - 5 < 100)).any()
    assert (ends > 110).any()


def nan_at(frame, row):
    values = frame["b"].to_numpy().copy()
    values[row] = np.nan
    return frame.with_columns(b=values)


@pytest.mark.parametrize(
    ("frame", "spec", "message"),
    [
        (table(), {"features": ["a", "beta"]}, "'x.csv' has no column 'beta'"),
        (table(), {"target": "d"}, "'x.csv' has no column 'd'"),
        (table(), {"time": "when"}, "'x.csv' has no column 'when'"),
        (table(), {"sequence": "run"}, "'x.csv' has no column 'run'"),
        (nan_at(table(), 7), {}, "'x' has nan in column 'b' of row 8"),
        (table().with_columns(a=pl.lit("x")), {}, "line 2 of 'x.csv' has 'x' in column 'a'"),
        (table(), {"time": "seconds", "rate_hz": 1.0}, "'x' has 2 rows per second instead of 1"),
        (table(), {"window": 250}, "data.window=250 with data.lead=2 needs 252 rows"),
        (table(), {"unit_hours": None}, "data.unit_hours is null but there is one series only"),
    ],
)
def test_faults_are_named(tmp_path, frame, spec, message):
    frame.write_csv(tmp_path / "x.csv")
    with pytest.raises(UserError, match=message):
        prepare(make_spec(tmp_path / "x.csv", **({"unit_hours": 1 / 360} | spec)), cache=tmp_path)


def test_a_sequence_in_two_files_is_refused(tmp_path):
    for name in ("x", "y"):
        table(40).with_columns(run=pl.lit("same")).write_csv(tmp_path / f"{name}.csv")
    with pytest.raises(UserError, match=r"sequence 'same' is in 'y.csv' and in a file before it"):
        prepare(make_spec(tmp_path, sequence="run"), cache=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"increment": True, "lead": 0}, "increment is true but lead is 0"),
        ({"features": ["a", "a"]}, "'a' is listed twice"),
        ({"units": {"z": "m"}}, "'z' is no column in use"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        make_spec("x.csv", **change)
