"""CSV files that people bring: read by column, faults named by file, line and column."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnpipe.core.errors import UserError
from attnpipe.io.csv import read_columns, write_csv
from attnpipe.io.header import csv_files, read_header

NUMBERS = {"a": "number", "b": "number"}


def test_columns_are_read_by_name_and_kind(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("\ufeffskip, f ,s,a\r\n1,True,x, 1.5 \r\n2,0,y,NaN\r\n3,false,,\r\n")
    frame = read_columns(path, {"a": "number", "f": "flag", "s": "text"})
    assert frame.columns == ["a", "f", "s"]
    np.testing.assert_array_equal(frame["a"].to_numpy(), [1.5, np.nan, np.nan])
    assert frame["f"].to_list() == [True, False, False]
    assert frame["s"].to_list() == ["x", "y", ""]


@pytest.mark.parametrize(
    ("text", "kinds", "message"),
    [
        ("", NUMBERS, "'x.csv' is empty"),
        ("a,b\n", NUMBERS, "'x.csv' has a header but no rows"),
        ("a,c\n1,2\n", NUMBERS, "'x.csv' has no column 'b'"),
        ("alpha,b\n1,2\n", {"alpa": "number"}, "no column 'alpa': did you mean 'alpha'?"),
        ("a,a\n1,2\n", NUMBERS, "column 'a' twice"),
        ("a,b\n1,2\nx,2\n", NUMBERS, "line 3 of 'x.csv' has 'x' in column 'a', which is no number"),
        ("a,b\n1,yes\n", {"b": "flag"}, "'yes' in column 'b', which is no flag"),
        ("a,b\n1,\n", {"b": "flag"}, "line 2 of 'x.csv' has '' in column 'b', which is no flag"),
        ("a,b\n1,2\n1,2,3\n", NUMBERS, "cannot read 'x.csv' as CSV"),
    ],
)
def test_faults_are_named(tmp_path, text, kinds, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        read_columns(path, kinds)


def test_binary_file_is_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00\x81" * 10)
    with pytest.raises(UserError, match=r"cannot read 'x.csv' as CSV"):
        read_header(path)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_written_numbers_read_back_exactly(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    write_csv(path, pl.DataFrame({"a": values}))
    assert read_columns(path, {"a": "number"})["a"].to_list() == values


def test_folder_lists_only_csv_files_by_name(tmp_path):
    for name in ("b.csv", "a.csv", "notes.txt"):
        (tmp_path / name).write_text("x\n1\n")
    assert [p.name for p in csv_files(tmp_path)] == ["a.csv", "b.csv"]
    assert csv_files(tmp_path / "b.csv") == [tmp_path / "b.csv"]


def test_missing_path_and_folder_without_tables_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no file or folder .*correct data\.path"):
        csv_files(tmp_path / "absent")
    with pytest.raises(UserError, match=r"has no file '\*\.csv'"):
        csv_files(tmp_path)
