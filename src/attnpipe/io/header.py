"""Which CSV files there are and what columns they have, without reading their rows."""

import csv
from collections.abc import Sequence
from pathlib import Path

from attnpipe.core.errors import UserError
from attnpipe.core.registry import nearest
from attnpipe.io.outside.source import shown


def csv_files(path: Path) -> list[Path]:
    """Return the file itself, or the CSV files of a folder in order of their names."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"there is no file or folder '{path}'; correct data.path")
    files = sorted(p for p in path.glob("*.csv") if p.is_file())
    if not files:
        raise UserError(f"the folder '{path}' has no file '*.csv'; correct data.path")
    return files


def read_header(path: Path) -> list[str]:
    """Return the column names of a CSV file, reading nothing else.

    Raises
    ------
    UserError
        When the file is empty, is not text, or names a column twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            header = [name.strip() for name in next(csv.reader(handle), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = shown(str(error))
        raise UserError(f"cannot read '{path.name}' as CSV ({reason}); give UTF-8 text") from None
    if not any(header):
        raise UserError(f"'{path.name}' is empty; give a CSV file with a header line")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"'{path.name}' has column '{shown(twice[0])}' twice; name each once")
    return header


def require_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Raise a UserError for the first column that the header lacks."""
    for column in columns:
        if column not in header:
            hint = nearest(column, [shown(name) for name in header])
            raise UserError(f"'{path.name}' has no column '{column}': {hint}")


def most_rows(path: Path) -> int:
    """Return an upper bound of a CSV file's rows: its lines but the header's."""
    if not path.stat().st_size:
        return 0
    with path.open("rb") as handle:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: handle.read(1 << 20), b""))
        handle.seek(-1, 2)
        unfinished = handle.read(1) != b"\n"
    return lines - 1 + unfinished


def likely_rows(path: Path) -> int:
    """Return about how many rows a CSV file has, from its size and its first lines."""
    with path.open("rb") as handle:
        begin = handle.read(1 << 16)
    return round(path.stat().st_size * begin.count(b"\n") / max(1, len(begin)))
