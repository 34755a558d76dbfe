"""Every table is what its schema says, whatever it was made of."""

import polars as pl
import pytest

from attnpipe.core.errors import UserError
from attnpipe.tables.base import INT, REAL, TEXT, Column, Table
from attnpipe.tables.registry import TABLES

TABLE = Table(
    "scores",
    "Scores.",
    {"name": Column(TEXT, "who"), "n": Column(INT, "count"), "value": Column(REAL, "score")},
)


def test_absent_columns_are_null_and_columns_come_in_order() -> None:
    found = TABLE.conform(pl.DataFrame({"value": [1, 2], "name": ["a", "b"]}))
    assert found.schema == TABLE.schema
    assert list(found.columns) == ["name", "n", "value"]
    assert found["n"].to_list() == [None, None]
    assert found["value"].to_list() == [1.0, 2.0]


def test_a_column_that_no_schema_knows_is_named() -> None:
    with pytest.raises(UserError, match="table 'scores' has an unknown column 'values'"):
        TABLE.conform(pl.DataFrame({"values": [1.0]}))


def test_a_cell_of_another_type_is_refused() -> None:
    with pytest.raises((TypeError, pl.exceptions.PolarsError)):
        TABLE.frame([{"n": "three"}])


@pytest.mark.parametrize("name", TABLES)
def test_each_table_of_a_study_has_a_meaning_for_itself_and_every_column(name: str) -> None:
    table = TABLES[name]
    assert table.name == name
    assert len(table.meaning) > 10
    assert table.frame().schema == table.schema
    assert all(len(column.meaning) > 3 for column in table.columns.values())
