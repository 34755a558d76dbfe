"""Series out of HDF5 files, and what is wrong with those that have none."""

import h5py
import numpy as np
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.hdf5 import read_series


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
