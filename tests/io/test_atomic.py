"""Files appear whole or not at all, and what killed writers left is removed."""

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import remove_leftovers, write_atomically, write_text
from attnpipe.io.parquet import _write


def test_a_disk_that_fills_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fill(temporary):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError) as full:
        write_atomically(path, fill)
    assert str(full.value) == (
        f"cannot write '{path}': No space left on device; free space or change permissions"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    kept = ["a.parquet", "runs/.train.seal.json", "runs/x.tmp"]
    for name in (*kept, ".a.parquet.123.tmp", "runs/.b.json.9.tmp"):
        write_text(tmp_path / name, "x")
    remove_leftovers(tmp_path)
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted(kept)
    remove_leftovers(tmp_path / "absent")


@pytest.mark.parametrize("as_csv", [False, True])
def test_a_full_disk_is_one_whoever_writes(as_csv) -> None:
    """`polars` wraps what the system says."""
    frame = pl.DataFrame({"a": np.arange(10_000)})
    with pytest.raises(OSError, match="No space left on device"):
        _write(frame, Path("/dev/full"), "t", as_csv)
