"""Steering logs: what counts, how segments are split, and which files are refused."""

import numpy as np
import polars as pl
import pytest

from attnpipe.core.errors import UserError
from attnpipe.data.prepare import prepare
from attnpipe.data.steering import write_logs
from attnpipe.schema.data import SteeringData


def make_spec(**changes):
    options = {"kind": "steering", "name": "s", "window": 20, "segments": 12}
    options |= {"segment_seconds": 20.0, "probe_samples": 8, "simulator_seed": 1}
    return SteeringData(**(options | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_logs(make_spec(), path)
    return path


@pytest.fixture
def copies(folder, tmp_path):
    """Return a folder of logs that a test may spoil."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def edit(path, change):
    pl.read_csv(path, infer_schema_length=None).pipe(change).write_csv(path)


def read(folder):
    return {p.stem: pl.read_csv(p) for p in sorted(folder.glob("*.csv"))}


def test_simulated_and_given_files_give_the_same_dataset(folder, tmp_path):
    simulated = prepare(make_spec(), cache=tmp_path)
    given = prepare(make_spec(path=str(folder)), cache=tmp_path)
    np.testing.assert_array_equal(simulated.features, given.features)
    for split, ends in simulated.splits.items():
        np.testing.assert_array_equal(ends, given.splits[split])
    assert simulated.description["source"]["simulator_seed"] == 1
    files = given.description["source"]["files"]
    assert [f["name"] for f in files] == [f"segment-{i:04d}.csv" for i in range(12)]
    assert "/" not in str(files)


@pytest.mark.parametrize("lead", [0, 3])
def test_windows_hold_only_rows_that_count_and_targets_are_the_torque(folder, tmp_path, lead):
    dataset = prepare(make_spec(path=str(folder), lead=lead), cache=tmp_path)
    frame = pl.concat(read(folder).values())
    counts = (frame["latActive"] & ~frame["steeringPressed"]).to_numpy()
    segment = np.repeat(np.arange(12), 200)
    torque = frame["steerFiltered"].to_numpy()
    expected = [
        end
        for end in range(19, len(counts) - lead)
        if counts[end - 19 : end + lead + 1].all() and segment[end - 19] == segment[end + lead]
    ]
    assert sorted(np.concatenate(list(dataset.splits.values())).tolist()) == expected
    np.testing.assert_array_equal(
        dataset.target[expected], torque[np.add(expected, lead)].astype(np.float32)
    )
    assert set(dataset.trivial) == {"zero", "train_mean"} | ({"persistence"} if lead else set())


def test_split_and_units_are_whole_segments(folder, tmp_path):
    dataset = prepare(make_spec(path=str(folder)), cache=tmp_path)
    held = {split: set((ends // 200).tolist()) for split, ends in dataset.splits.items()}
    assert {split: len(segments) for split, segments in held.items()} == {
        "train": 8,
        "validation": 2,
        "test": 2,
    }
    assert not held["train"] & held["validation"]
    assert not held["test"] & (held["train"] | held["validation"])
    assert set(dataset.unit_names) == {f"segment-{i:04d}" for i in held["test"]}


def test_windows_do_not_cross_a_gap_in_time(copies):
    before = prepare(make_spec(path=str(copies)), cache=copies)
    for file in copies.glob("*.csv"):
        edit(file, lambda f: f.filter(~pl.col("t").is_between(10.0, 10.95)))
    after = prepare(make_spec(path=str(copies)), cache=copies)
    rows = np.concatenate(list(after.splits.values()))[:, None] + np.arange(-19, 1)
    row = rows % 190
    assert not ((row[:, 0] < 100) & (row[:, -1] >= 100)).any()
    assert len(rows) < sum(map(len, before.splits.values())) - 12 * 10


def test_columns_in_any_order_with_others_and_python_booleans_are_read(copies):
    before = prepare(make_spec(path=str(copies)), cache=copies)
    flags = [
        pl.when(pl.col(name)).then(pl.lit("True")).otherwise(pl.lit("False")).alias(name)
        for name in ("latActive", "steeringPressed")
    ]
    for file in copies.glob("*.csv"):
        edit(file, lambda f: f.with_columns(*flags, epsFwVersion=pl.lit("x,y"))[:, ::-1])
    after = prepare(make_spec(path=str(copies)), cache=copies)
    np.testing.assert_array_equal(after.features, before.features)


def test_nan_is_allowed_where_the_row_does_not_count(copies):
    file = copies / "segment-0003.csv"

    def spoil(frame):
        off = ~pl.col("latActive") | (pl.int_range(pl.len()) < 5)
        return frame.with_columns(
            latActive=~off, vEgo=pl.when(off).then(float("nan")).otherwise(pl.col("vEgo"))
        )

    edit(file, spoil)
    dataset = prepare(make_spec(path=str(copies)), cache=copies)
    for ends in dataset.splits.values():
        assert np.isfinite(dataset.windows(ends)).all()


FAULTS = {
    "missing column": (lambda f: f.drop("roll"), "'segment-0003.csv' has no column 'roll'"),
    "misspelt column": (
        lambda f: f.rename({"vEgo": "vego"}),
        "no column 'vEgo': did you mean 'vego'",
    ),
    "wrong rate": (
        lambda f: f.with_columns(t=pl.col("t") / 10),
        "'segment-0003.csv' has 100 rows per second instead of 10",
    ),
    "time goes back": (
        lambda f: f.with_columns(t=pl.col("t").reverse()),
        "'segment-0003.csv' goes from time 19.9 s to 19.8 s in row 2",
    ),
    "NaN": (
        lambda f: f.with_columns(steeringAngleDeg=pl.lit(float("nan"))),
        "'segment-0003.csv' has nan in column 'steeringAngleDeg' of row",
    ),
    "infinity": (
        lambda f: f.with_columns(aEgo=pl.lit(float("inf"))),
        "'segment-0003.csv' has inf in column 'aEgo' of row",
    ),
    "text": (
        lambda f: f.with_columns(vEgo=pl.lit("fast")),
        "line 2 of 'segment-0003.csv' has 'fast' in column 'vEgo'",
    ),
    "no usable row": (
        lambda f: f.with_columns(latActive=pl.lit(False)),
        r"'segment-0003.csv' has no usable row \(latActive and not steeringPressed\) among its 200",
    ),
    "no row": (lambda f: f.clear(), "'segment-0003.csv' has a header but no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_named_with_its_fault(copies, fault):
    change, message = FAULTS[fault]
    edit(copies / "segment-0003.csv", change)
    with pytest.raises(UserError, match=message):
        prepare(make_spec(path=str(copies)), cache=copies)


def test_one_segment_cannot_be_split(copies):
    for file in list(copies.glob("*.csv"))[1:]:
        file.unlink()
    with pytest.raises(UserError, match=r"1 sequences cannot be split .*at least 3"):
        prepare(make_spec(path=str(copies)), cache=copies)


def test_runs_shorter_than_the_window_are_named(tmp_path):
    with pytest.raises(UserError, match=r"data.window=201 with data.lead=0 needs 201 rows"):
        prepare(make_spec(window=201), cache=tmp_path)
