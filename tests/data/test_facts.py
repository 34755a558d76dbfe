"""What is known, and refused, before any job runs."""

import subprocess
import sys
from functools import partial

import h5py
import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.data import facts
from attnpipe.data.facts import DataFacts, feasibility
from attnpipe.data.layout import GEOMAGNETIC_SERIES
from attnpipe.data.prepare import prepare
from attnpipe.data.steering import write_logs
from attnpipe.schema.data import CsvData, GeomagneticData, SteeringData


def geomagnetic(**changes):
    return GeomagneticData(**({"kind": "geomagnetic", "name": "g", "window": 50} | changes))


def steering(**changes):
    return SteeringData(**({"kind": "steering", "name": "s", "window": 50} | changes))


def csv(path, **changes):
    options = {"kind": "csv", "name": "c", "path": str(path), "features": ["a", "b"]}
    options |= {"target": "b", "window": 5, "lead": 1, "unit_hours": 0.01}
    return CsvData(**(options | changes))


def test_default_sources_are_known_without_reading_them():
    assert feasibility(geomagnetic()) == DataFacts(features=8, rows=257_266)
    assert feasibility(steering()) == DataFacts(features=5, rows=200 * 600)


def test_features_are_as_many_as_the_prepared_dataset_has(tmp_path):
    spec = steering(segments=10, segment_seconds=20.0, window=20, probe_samples=8)
    dataset = prepare(spec, cache=tmp_path)
    assert feasibility(spec) == DataFacts(dataset.features.shape[1], len(dataset.features))


def test_own_tables_are_known_by_their_header(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 2000)
    assert feasibility(csv(tmp_path / "x.csv")) == DataFacts(features=2, rows=2000)


def test_own_tables_with_too_few_lines_are_refused_before_any_job(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,2")
    with pytest.raises(UserError, match=r"data\.window="):
        feasibility(csv(tmp_path / "x.csv"))


def test_units_longer_than_the_test_data_are_refused_before_any_job(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 2000)
    with pytest.raises(UserError, match=r"data\.unit_hours=1 but the test data cover 0\.08"):
        feasibility(csv(tmp_path / "x.csv", unit_hours=1))


def index_file(path, hours):
    """An HDF5 file of the layout of the ring-current index."""
    with h5py.File(path, "w") as file:
        for name in GEOMAGNETIC_SERIES:
            file[name] = np.arange(float(hours))
    return path


def test_an_own_index_that_is_too_short_is_refused_before_any_job(tmp_path):
    path = index_file(tmp_path / "rc.h5", 2000)  # 15 % are 300, of which a gap takes 56
    fits = geomagnetic(path=str(path), unit_hours=100)
    assert feasibility(fits) == DataFacts(features=8, rows=2000)
    with pytest.raises(UserError, match=r"data\.window=200 .* needs 206 rows .* has 94"):
        feasibility(geomagnetic(path=str(path), window=200, unit_hours=100))
    with pytest.raises(UserError, match=r"data\.unit_hours=648 but the test data cover 244 hours"):
        feasibility(geomagnetic(path=str(path)))


def test_an_own_index_of_another_layout_is_refused_before_any_job(tmp_path):
    (tmp_path / "rc.h5").write_text("no HDF5")
    with pytest.raises(UserError, match=r"cannot read 'rc\.h5' as HDF5"):
        feasibility(geomagnetic(path=str(tmp_path / "rc.h5")))


def test_another_wheel_is_judged_as_soon_as_its_file_is_here(tmp_path, monkeypatch):
    other = geomagnetic(version="9.9", sha256="0" * 64, window=200, unit_hours=100)
    monkeypatch.setenv("ATTNPIPE_CACHE", str(tmp_path))
    assert feasibility(other) == DataFacts(features=8, rows=None)
    short = index_file(tmp_path / "rc.h5", 2000)
    monkeypatch.setattr(facts, "cached_member", lambda *_: short)
    with pytest.raises(UserError, match=r"data\.window=200 .* has 94"):
        feasibility(other)


def test_own_steering_logs_that_are_too_short_are_refused_before_any_job(tmp_path):
    write_logs(steering(segments=12, segment_seconds=20.0), tmp_path)
    fits = {"path": str(tmp_path), "probe_samples": 8}
    assert feasibility(steering(**fits)) == DataFacts(features=5, rows=12 * 200)
    with pytest.raises(UserError, match=r"data\.window=250 with data\.lead=0 needs 250 rows"):
        feasibility(steering(**fits | {"window": 250}))
    with pytest.raises(UserError, match=r"data\.probe_samples=128 but validation has only 22"):
        feasibility(steering(**fits | {"probe_samples": 128, "window": 190}))


def test_own_tables_are_split_as_sequences_before_any_job(tmp_path):
    for name in "abcdef":
        (tmp_path / f"{name}.csv").write_text("a,b\n" + "1,2\n" * 30)
    options = {"unit_hours": None, "probe_samples": 4}
    assert feasibility(csv(tmp_path, **options)) == DataFacts(features=2, rows=180)
    with pytest.raises(UserError, match=r"data\.window=30 .* the training data has 30"):
        feasibility(csv(tmp_path, **options, window=30))
    with pytest.raises(UserError, match="validation has only 25 windows"):
        feasibility(csv(tmp_path, **options | {"probe_samples": 26}))


@pytest.mark.parametrize("sequence", [None, "s"])
def test_units_longer_than_any_sequence_are_refused_as_the_data_would_be(tmp_path, sequence):
    for name in "abcdef":
        rows = "".join(f"{i % 5},{i % 7},{name}\n" for i in range(30))
        (tmp_path / f"{name}.csv").write_text("a,b,s\n" + rows)
    options = {"probe_samples": 4, "evaluation_stride": 2, "sequence": sequence}
    fits = csv(tmp_path, **options, unit_hours=52 / 3600)  # 13 windows, every other row
    assert feasibility(fits).rows == 180
    assert len(prepare(fits, cache=tmp_path).unit_names) == 1
    message = (
        r"covers 26 rows, less than half of the 53 rows of a unit \(data.unit_hours\); set "
        "data.unit_hours=null, so that each sequence is a unit, or lower it"
    )
    for judge in (feasibility, partial(prepare, cache=tmp_path)):
        with pytest.raises(UserError, match=message):
            judge(csv(tmp_path, **options, unit_hours=53 / 3600))


def test_large_tables_are_not_read_but_their_rows_are_known_nearly(tmp_path, monkeypatch):
    lines = "".join(f"{i},{i % 7}\n" for i in range(100_000))
    (tmp_path / "x.csv").write_text("a,b\n" + lines)
    monkeypatch.setattr(facts, "COUNTED_BYTES", 1000)
    found = feasibility(csv(tmp_path / "x.csv")).rows
    assert 80_000 < found < 120_000


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (geomagnetic(window=20_000), "data.window=20000 .* needs 20006 rows .* has 18584"),
        (geomagnetic(window=300_000), "data.window=300000 with data.lead=6 needs 300006"),
        (geomagnetic(evaluation_stride=400), "data.probe_samples=128 but validation has only 97"),
        (geomagnetic(path="absent.h5"), "there is no file 'absent.h5'; correct data.path"),
        (steering(window=600, lead=1), "data.window=600 with data.lead=1 needs 601 rows .*has 600"),
        (steering(segments=8, window=590), "data.probe_samples=128 but validation has only 11"),
        (steering(unit_hours=1), "covers 551 rows, less than half of the 36000 .*unit_hours=null"),
        (steering(path="absent"), "there is no file or folder 'absent'; correct data.path"),
        (csv("absent"), "there is no file or folder 'absent'; correct data.path"),
    ],
)
def test_what_cannot_work_is_refused(spec, message):
    with pytest.raises(UserError, match=message):
        feasibility(spec)


def test_headers_of_given_files_are_checked(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"'x.csv' has no column 'c'"):
        feasibility(csv(tmp_path / "x.csv", target="c"))
    with pytest.raises(UserError, match=r"'x.csv' has no column 't'"):
        feasibility(steering(path=str(tmp_path)))
    with pytest.raises(UserError, match=r"data.unit_hours is null"):
        feasibility(csv(tmp_path / "x.csv", unit_hours=None))


def test_asking_imports_no_reader_of_data():
    code = (
        "import sys, attnpipe.data.facts as f;"
        "print([m for m in ('torch', 'polars', 'h5py', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
