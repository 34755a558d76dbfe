"""Tables as Parquet, with a CSV twin where a person would open one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_atomically
from attnpipe.io.seal import verify
from attnpipe.tables.base import Table


def write_table(path: Path, frame: pl.DataFrame, table: Table) -> None:
    """Write a table as Parquet or CSV, by the suffix, in the table's own columns."""
    conforming = table.conform(frame)
    if path.suffix == ".csv":
        write_atomically(path, conforming.write_csv)
        return
    metadata = {"attnpipe": f"table={table.name} schema=1"}
    write_atomically(path, lambda p: conforming.write_parquet(p, metadata=metadata))


def read_table(path: Path, table: Table) -> pl.DataFrame:
    """Return a sealed Parquet table.

    Raises
    ------
    UserError
        When the bytes are not what the job wrote, or the columns are not the table's.
    """
    try:
        return scan_table(path, table).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def scan_table(path: Path, table: Table) -> pl.LazyFrame:
    """Return a sealed Parquet table of which nothing is read yet but its columns.

    Raises
    ------
    UserError
        As `read_table`.
    """
    verify(path)
    try:
        frame = pl.scan_parquet(path)
        schema = dict(frame.collect_schema())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None
    if schema != table.schema:
        raise UserError(
            f"'{path}' does not have the columns of table '{table.name}'; delete it and run again"
        )
    return frame


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot read '{path}' as Parquet ({error}); delete it and run again")


def read_tables(
    paths: Mapping[str, Sequence[Path]], tables: Mapping[str, Table]
) -> dict[str, pl.DataFrame]:
    """Return the sealed tables among named paths; other names are left alone."""
    return {
        name: read_table(paths[name][0], table) for name, table in tables.items() if name in paths
    }
