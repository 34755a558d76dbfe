"""The columns of every table: name, type and meaning.

`docs/results.md` is generated from here, and every table is checked against its
schema when it is written and when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnpipe.core.errors import UserError

if TYPE_CHECKING:
    import polars as pl

INT, REAL, TEXT, FLAG = "Int64", "Float64", "String", "Boolean"
"""Names of polars' types: whoever plans a study asks for names of tables and needs no polars."""


@dataclass(frozen=True)
class Column:
    """One column: its type, its meaning, and whether it may be null."""

    dtype: str  # name of a polars type
    meaning: str


@dataclass(frozen=True)
class Table:
    """The schema of one table."""

    name: str
    meaning: str
    columns: dict[str, Column]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Column name → polars type, in order."""
        import polars as pl

        return {name: getattr(pl, column.dtype) for name, column in self.columns.items()}

    def frame(
        self, rows: list[dict[str, object]] | dict[str, object] | None = None
    ) -> pl.DataFrame:
        """Return a frame of this schema; absent columns are null."""
        import polars as pl

        return pl.DataFrame(rows or [], schema=self.schema, strict=True)

    def fits(self, frame: pl.DataFrame) -> bool:
        """Whether a frame has this table's columns in order, of its types."""
        return (frame.columns, frame.dtypes) == ([*self.schema], [*self.schema.values()])

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with this table's columns in order, or say what does not fit."""
        import polars as pl

        if self.fits(frame):
            return frame
        unknown = [c for c in frame.columns if c not in self.columns]
        if unknown:
            raise UserError(f"table '{self.name}' has an unknown column '{unknown[0]}'")
        missing = [
            pl.lit(None, dtype=t).alias(c) for c, t in self.schema.items() if c not in frame.columns
        ]
        return frame.with_columns(missing).select(list(self.columns)).cast(self.schema)  # type: ignore[arg-type]
