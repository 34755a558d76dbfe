"""Tables as Parquet, with a CSV twin where a person would open one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import system_errors, write_atomically
from attnpipe.io.seal import read_verified, verify
from attnpipe.tables.base import Table

NOTE = "table={name} schema=1 rows={rows}"
"""What a file says of itself in its footer."""
_NOTED = re.compile(rb"table=(\w+) schema=1 rows=(\d+)\0")


def write_table(path: Path, frame: pl.DataFrame, table: Table) -> None:
    """Write a table as Parquet or CSV, by the suffix, in the table's own columns."""
    conforming = table.conform(frame)
    as_csv = path.suffix == ".csv"
    write_atomically(path, lambda p: _write(conforming, p, table.name, as_csv))


def _write(frame: pl.DataFrame, path: Path, name: str, as_csv: bool) -> None:
    with system_errors(pl.exceptions.PolarsError):
        if as_csv:
            frame.write_csv(path)
        else:
            note = NOTE.format(name=name, rows=len(frame))
            frame.write_parquet(path, metadata={"attnpipe": note})


def read_table(path: Path, table: Table) -> pl.DataFrame:
    """Return a sealed Parquet table.

    Raises
    ------
    UserError
        When the bytes are not what the job wrote, or the columns are not the table's.
    """
    return decoded(path, read_verified(path), table)


def decoded(path: Path, content: bytes, table: Table) -> pl.DataFrame:
    """Return a table from the bytes of a Parquet file.

    Raises
    ------
    UserError
        When they are no Parquet, or the columns are not the table's.
    """
    with _naming(path):
        frame = pl.read_parquet(content, parallel="none")  # as fast, with one thread per job
    _check_columns(path, frame, table)
    return frame


def rows_of(content: bytes, table: Table) -> int | None:
    """Return how many rows the bytes of a Parquet file say that it has, if it is such a table."""
    footer = int.from_bytes(content[-8:-4], "little") + 8
    noted = _NOTED.findall(content, max(0, len(content) - footer))
    name, rows = noted[-1] if noted else (b"", b"")  # after values of columns, which come first
    return int(rows) if name == table.name.encode() else None


def scan_table(path: Path, table: Table) -> pl.LazyFrame:
    """Return a sealed Parquet table of which nothing is read yet but its columns.

    Raises
    ------
    UserError
        As `read_table`.
    """
    verify(path)
    with _naming(path):
        frame = pl.scan_parquet(path, glob=False)
        empty = frame.collect_schema().to_frame()
    _check_columns(path, empty, table)
    return frame


def _check_columns(path: Path, frame: pl.DataFrame, table: Table) -> None:
    if not table.fits(frame):
        raise UserError(
            f"'{path}' does not have the columns of table '{table.name}'; delete it and run again"
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what a damaged file makes polars raise into one sentence."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot read '{path}' as Parquet ({reason}); delete it and run again"
        ) from None


def read_tables(
    paths: Mapping[str, Sequence[Path]], tables: Mapping[str, Table]
) -> dict[str, pl.DataFrame]:
    """Return the sealed tables among named paths; other names are left alone."""
    return {
        name: read_table(paths[name][0], table) for name, table in tables.items() if name in paths
    }
