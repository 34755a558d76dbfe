"""Tables of thousands of runs, read many at a time: each alone costs twice as much."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import polars as pl

from attnpipe.io.parquet import decoded, rows_of
from attnpipe.io.seal import read_verified
from attnpipe.tables.base import Table

TABLES_AT_A_TIME = 256
"""Tables that are read together."""


def read_each(paths: Sequence[Path], table: Table) -> list[pl.DataFrame]:
    """Return sealed tables of one kind.

    Raises
    ------
    UserError
        When the bytes of one are not what the job wrote, or the columns are not the table's
        (in whatever order they are stored).
    """
    frames: list[pl.DataFrame] = []
    for start in range(0, len(paths), TABLES_AT_A_TIME):
        some = paths[start : start + TABLES_AT_A_TIME]
        contents = [read_verified(path) for path in some]
        together = _together(contents, table)
        if together is None:  # one by one, which names the one
            pairs = zip(some, contents, strict=True)
            together = [decoded(path, content, table) for path, content in pairs]
        frames += together
    return frames


def _together(contents: Sequence[bytes], table: Table) -> list[pl.DataFrame] | None:
    """Return all tables, cut apart by what they say of their rows; None if anything is wrong."""
    rows = [rows_of(content, table) for content in contents]
    try:
        frame = pl.scan_parquet([*contents], parallel="none").collect()
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    known = [n for n in rows if n is not None]
    if len(known) < len(rows) or sum(known) != len(frame) or not table.fits(frame):
        return None
    return [*_cut(frame.rechunk(), known)]


def _cut(frame: pl.DataFrame, rows: Sequence[int]) -> Iterator[pl.DataFrame]:
    for end, n in zip(accumulate(rows), rows, strict=True):
        yield frame.slice(end - n, n)
