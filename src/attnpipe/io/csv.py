"""Tables that people bring, as CSV: read by column name, faults named by file and line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.io.atomic import write_atomically
from attnpipe.io.header import read_header, require_columns
from attnpipe.io.outside.source import shown

Kind = Literal["number", "flag", "text"]
FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def read_columns(path: Path, columns: Mapping[str, Kind]) -> pl.DataFrame:
    """Return some columns of a CSV file: numbers as float64, flags as booleans, or text.

    An empty field, ``nan`` and the like is NaN in a column of numbers; whether that is a
    fault depends on the row, so it is the caller's to judge.

    Raises
    ------
    UserError
        When a column is missing or a field is not of its kind; names file, line and column.
    """
    header = read_header(path)
    require_columns(path, header, list(columns))
    try:
        frame = pl.read_csv(path, infer_schema=False, empty_string_is_null=False, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = shown(str(error).partition("\n")[0])
        raise UserError(f"cannot read '{path.name}' as CSV ({reason}); mend the file") from None
    if frame.is_empty():
        raise UserError(f"'{path.name}' has a header but no rows; give rows of data")
    return pl.DataFrame(
        [_convert(frame.to_series(header.index(n)).alias(n), k, path) for n, k in columns.items()]
    )


def _convert(column: pl.Series, kind: Kind, path: Path) -> pl.Series:
    column = column.fill_null("")
    if kind == "text":
        return column
    text = column.str.strip_chars()
    if kind == "flag":
        values = text.str.to_lowercase().replace_strict(
            FLAGS, default=None, return_dtype=pl.Boolean
        )
        missing = pl.repeat(False, len(text), eager=True)
    else:
        values = text.cast(pl.Float64, strict=False)
        missing = text.str.to_lowercase().is_in(["", "nan", "na", "null", "none"])
    faults = (values.is_null() & ~missing).arg_true()
    if len(faults):
        wrong = faults[0]
        raise UserError(
            f"line {wrong + 2} of '{path.name}' has '{shown(column[wrong])}' in column "
            f"'{column.name}', which is no {kind}; mend the file"
        )
    return values.fill_null(float("nan")) if kind == "number" else values


def write_csv(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as CSV, atomically; numbers in the shortest form that reads back exactly."""
    write_atomically(path, frame.write_csv)
