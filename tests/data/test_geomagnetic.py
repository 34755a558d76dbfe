"""The ring-current index: features, increments, blocks and faults of its file."""

import h5py
import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.data.prepare import prepare
from attnpipe.schema.data import GeomagneticData

HOURS = 3000
START = -1094.0 + 0.5 / 24  # 1997-01-02T00:30, days since 2000-01-01


def series(hours=HOURS):
    rng = np.random.default_rng(1)
    external = -15 + np.cumsum(rng.normal(size=hours)) * 0.3
    induced = 0.2 * external + rng.normal(size=hours)
    time = START + np.arange(hours) / 24
    return {"time": time, "RC": external + induced, "RC_e": external, "RC_i": induced}


def write(path, data):
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            file[name] = values
    return path


def make_spec(path, **changes):
    options = {"kind": "geomagnetic", "name": "rc", "window": 24, "probe_samples": 8}
    return GeomagneticData(**(options | {"path": str(path), "unit_hours": 100.0} | changes))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("rc") / "rc.h5", series())
    return prepare(make_spec(path), cache=path.parent)


def test_target_is_the_increment_over_the_lead(dataset):
    data = series()
    for ends in dataset.splits.values():
        expected = [data["RC"][end + 6] - data["RC"][end] for end in ends]
        np.testing.assert_allclose(dataset.target[ends], expected, rtol=1e-5, atol=1e-5)
    assert dataset.description["target"]["name"] == "ΔRC over 6 h"
    assert dataset.description["target"]["unit"] == "nT"


def test_features_are_the_parts_their_rates_season_and_hour(dataset):
    data = series()
    columns = {
        f["name"]: dataset.features[:, i] * f["scale"] + f["mean"]
        for i, f in enumerate(dataset.description["features"])
    }
    np.testing.assert_allclose(columns["RC_e"][1:], data["RC_e"][1:], atol=1e-3)
    np.testing.assert_allclose(columns["RC_i rate"][1:], np.diff(data["RC_i"]), atol=1e-3)
    noon = 11  # rows are half past the hour: row 11 is 11:30
    assert columns["hour sine"][noon] == pytest.approx(np.sin(2 * np.pi * 11.5 / 24), abs=1e-4)
    year = np.hypot(columns["season sine"], columns["season cosine"])
    np.testing.assert_allclose(year, 1.0, atol=1e-3)
    midwinter = 2 * np.pi * ((data["time"][5] + 3 * 365.2422) % 365.2422) / 365.2422
    assert columns["season cosine"][5] == pytest.approx(np.cos(midwinter), abs=1e-3)


def test_first_hour_has_no_rate_and_is_in_no_window(dataset):
    assert dataset.splits["train"][0] == 24
    assert np.isnan(dataset.features[0]).any()
    for ends in dataset.splits.values():
        assert np.isfinite(dataset.windows(ends)).all()


def test_units_are_test_blocks_named_by_their_first_day(dataset):
    first = dataset.splits["test"][0]
    day = np.datetime64("1997-01-02T00:30") + np.timedelta64(int(first), "h")
    assert dataset.unit_names[0] == str(day.astype("datetime64[D]"))
    sizes = np.bincount(dataset.units)
    assert (sizes[:-1] == 100).all()
    assert sizes[-1] >= 50


def test_description_names_file_checksum_and_dates_but_no_folder(dataset, tmp_path):
    facts = dataset.description
    assert facts["source"]["file"] == "rc.h5"
    assert len(facts["source"]["sha256"]) == 64
    assert "/" not in str(facts["source"])
    assert facts["splits"]["train"]["first"] == "1997-01-02T01:30"
    assert facts["step"] == {"value": 1.0, "unit": "h"}
    assert facts["gap_rows"] == 30


def edited(name, index, value):
    data = series()
    data[name][index] = value
    return data


def jump():
    time = series()["time"]
    time[50:] += 1 / 24
    return time


def without(name):
    data = series()
    del data[name]
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without("RC_i"), "'rc.h5' has no dataset 'RC_i'"),
        (edited("RC", 17, np.nan), "'rc.h5' has nan in 'RC' at row 17"),
        (edited("RC_e", 3, np.inf), "'rc.h5' has inf in 'RC_e' at row 3"),
        (series() | {"time": jump()}, "goes on 2 h after row 49 instead of 1 h"),
        (series() | {"time": series()["time"] * 24}, "goes on 24 h after row 0"),
        (series(1), "'rc.h5' has 1 hours; give a longer series"),
        (series(100), "data.window=24 with data.lead=6 needs 30 rows"),
    ],
)
def test_faults_of_the_file_are_named(tmp_path, data, message):
    path = write(tmp_path / "rc.h5", data)
    with pytest.raises(UserError, match=message):
        prepare(make_spec(path), cache=tmp_path)


@pytest.mark.slow
def test_published_index_is_downloaded_and_complete(tmp_path):
    spec = GeomagneticData(kind="geomagnetic", name="rc", window=50, evaluation_stride=6)
    facts = prepare(spec, cache=tmp_path).description
    assert facts["rows"] == 257_266
    assert facts["units"]["count"] == 59
    assert facts["splits"]["test"]["last"].startswith("2026")
