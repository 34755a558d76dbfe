"""Edits of a study's tables: other cells in a row, or the row gone."""

from collections.abc import Callable, Mapping

import polars as pl

Tables = dict[str, pl.DataFrame]
Edit = Callable[[Tables], Tables]


def the(**cells: object) -> pl.Expr:
    return pl.all_horizontal(pl.col(c).eq_missing(pl.lit(v)) for c, v in cells.items())


def put(table: str, where: Mapping[str, object], **new: object) -> Edit:
    def edit(tables: Tables) -> Tables:
        frame = tables[table]
        assert frame.filter(the(**where)).height > 0
        cells = [
            pl.when(the(**where)).then(pl.lit(v, frame.schema[c])).otherwise(pl.col(c)).alias(c)
            for c, v in new.items()
        ]
        return tables | {table: frame.with_columns(cells)}

    return edit


def drop(table: str, **where: object) -> Edit:
    def edit(tables: Tables) -> Tables:
        frame = tables[table]
        assert frame.filter(the(**where)).height > 0
        return tables | {table: frame.filter(~the(**where))}

    return edit


def interval(mean: float, half: float) -> dict[str, float]:
    return {"mean": mean, "lo95": mean - half, "hi95": mean + half}
