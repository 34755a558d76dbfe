"""Series out of HDF5 files, and what is wrong with those that have none."""

import h5py
import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.hdf5 import length_of_series, read_series


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def test_series_are_read_as_float64(tmp_path):
    path = write(tmp_path / "x.h5", a=np.arange(3, dtype=np.int16), b=np.array([0.5, 1, 2], "f4"))
    series = read_series(path, ["a", "b"])
    assert {name: array.dtype for name, array in series.items()} == {
        "a": np.float64,
        "b": np.float64,
    }
    np.testing.assert_array_equal(series["b"], [0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({"a": [1.0]}, "'x.h5' has no dataset 'b', only a"),
        ({"a": [1.0, 2.0], "b": [1.0]}, "dataset 'b' of 'x.h5' has 1 values but 'a' has 2"),
        ({"a": [[1.0]], "b": [1.0]}, r"dataset 'a' of 'x.h5' has shape \(1, 1\)"),
        ({"a": [b"text"], "b": [1.0]}, "dataset 'a' of 'x.h5' has shape .* type"),
        ({"a/b": [1.0], "b": [1.0]}, "'x.h5' has no dataset 'a'"),
    ],
)
def test_wrong_layout_is_named(tmp_path, datasets, message):
    path = write(tmp_path / "x.h5", **datasets)
    with pytest.raises(UserError, match=message):
        read_series(path, ["a", "b"])


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read_series(tmp_path / "absent.h5", ["a"])
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(UserError, match=r"cannot read 'text.h5' as HDF5"):
        read_series(tmp_path / "text.h5", ["a"])


def test_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "x.h5", a=np.arange(10_000.0))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UserError, match=r"cannot read 'x.h5' as HDF5"):
        read_series(path, ["a"])


def test_a_damaged_structure_is_a_value_or_one_sentence(tmp_path):
    """What h5py raises depends on where the damage is: `RuntimeError`, `TypeError`, …."""
    path = write(tmp_path / "x.h5", a=np.arange(30.0), b=np.arange(30.0))
    content = path.read_bytes()
    refused = []
    for at in range(0, 1800, 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        for read in (read_series, length_of_series):
            try:
                read(path, ["a", "b"])
            except UserError as error:
                refused.append(str(error))
    assert len(refused) > 100
    assert not [sentence for sentence in refused if "\n" in sentence]


@pytest.mark.parametrize(
    "announced",
    [
        {"shape": (30_000_000,), "chunks": (1_000_000,)},
        {"shape": (10,), "maxshape": (None,), "chunks": (500_000_000,)},
        {"shape": (30_000_000,)},
    ],
)
def test_a_series_that_only_announces_its_size_is_refused(tmp_path, announced):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", dtype="f8", **announced)
    assert path.stat().st_size < 5000
    with pytest.raises(UserError, match=r"dataset 'a' of 'x.h5' announces \d+ numbers but \d+ byt"):
        read_series(path, ["a"])


@pytest.mark.parametrize("packed", [{"compression": "gzip"}, {"compression": "lzf"}])
def test_a_series_that_is_packed_as_small_as_can_be_is_read(tmp_path, packed):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.zeros(1_000_000), chunks=(500_000,), **packed)
    assert not read_series(path, ["a"])["a"].any()
