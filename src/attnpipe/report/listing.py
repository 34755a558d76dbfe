"""The study's tables as a reader wants them: the rows that matter, rounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from attnpipe.report.choices import CHOICES as SEEDED
from attnpipe.report.text.choices import CHOICES as OF_TEXTS

CHOICES = SEEDED | OF_TEXTS
"""Table → what is shown of it, in reading order."""

MOST_ROWS = 200
"""Rows shown of a table; the rest is in its file."""


@dataclass(frozen=True)
class Listing:
    """A table of the report.

    Attributes
    ----------
    name, file, text
        Name of the table, its file with all rows and digits, and what is shown here.
    columns, numeric, rows
        Column names, whether each holds numbers, and cells as text.
    left_out
        Rows that are only in the file.
    """

    name: str
    file: str
    text: str
    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    left_out: int


def listings(tables: Mapping[str, pl.DataFrame]) -> list[Listing]:
    """Return the tables of the report in reading order; absent and empty ones are left out."""
    found = []
    for name, choice in CHOICES.items():
        if name not in tables or tables[name].is_empty():
            continue
        chosen = choice.rows(tables[name], tables).select(choice.columns)
        found.append(listing(name, f"{name}.csv", choice.text, chosen))
    return found


def listing(name: str, file: str, text: str, chosen: pl.DataFrame) -> Listing:
    """Return the first rows of a frame without its empty columns."""
    kept = [c for c in chosen.columns if chosen[c].null_count() < max(chosen.height, 1)]
    shown = chosen.select(kept).head(MOST_ROWS)
    return Listing(
        name=name,
        file=file,
        text=text,
        columns=kept,
        numeric=[shown[c].dtype.is_numeric() for c in kept],
        rows=[[cell(value) for value in row] for row in shown.iter_rows()],
        left_out=chosen.height - shown.height,
    )


def cell(value: object) -> str:
    """Return a cell: four significant digits, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"
        return text.replace("-", "−")
    return str(value)
