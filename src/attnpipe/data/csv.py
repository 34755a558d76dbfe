"""Any table, or folder of tables, as series."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from attnpipe.core.errors import UserError
from attnpipe.data.assemble import assemble
from attnpipe.data.clock import continues, require_finite
from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.series import Feature, Series, step
from attnpipe.io.csv import Kind, read_columns
from attnpipe.io.header import csv_files
from attnpipe.io.wheel import file_sha256
from attnpipe.schema.data import CsvData


def prepare(spec: CsvData, *, cache: Path) -> SequenceDataset:
    """Return windows over the tables at `spec.path`.

    A sequence is a file, or the rows of one value of the column `spec.sequence`.

    Raises
    ------
    UserError
        When a column is missing, a value is not a finite number, or time does not fit the
        rate.
    """
    files = csv_files(Path(spec.path))
    listed = [{"name": file.name, "sha256": file_sha256(file)} for file in files]
    return assemble(_series(_read(files, spec), spec, {"files": listed}), spec)


def _read(files: list[Path], spec: CsvData) -> dict[str, pl.DataFrame]:
    """Return sequence name → its rows, in order."""
    kinds: dict[str, Kind] = dict.fromkeys([*spec.features, spec.target], "number")
    if spec.time is not None:
        kinds[spec.time] = "number"
    if spec.sequence is None:
        return {file.stem: read_columns(file, kinds) for file in files}
    found: dict[str, pl.DataFrame] = {}
    for file in files:
        frame = read_columns(file, kinds | {spec.sequence: "text"})
        for (name,), rows in frame.group_by([spec.sequence], maintain_order=True):
            if str(name) in found:
                raise UserError(
                    f"sequence '{name}' is in '{file.name}' and in a file before it; give each "
                    "sequence its own name in data.sequence"
                )
            found[str(name)] = rows
    return found


def _series(tables: dict[str, pl.DataFrame], spec: CsvData, source: dict[str, Any]) -> Series:
    names = tuple(tables)
    columns = (*spec.features, spec.target)
    values, follows = [], []
    for name, table in tables.items():
        array = np.stack([table[column].to_numpy() for column in columns], axis=1)
        require_finite(array, columns, np.ones(len(array), dtype=bool), name)
        values.append(array)
        if spec.time is None:
            follows.append(np.arange(len(array)) > 0)
        else:
            follows.append(continues(table[spec.time].to_numpy(), spec.rate_hz, name))
    lengths = [len(array) for array in values]
    begins = np.concatenate([[0], np.cumsum(lengths)])
    joined = np.concatenate(values)
    horizon = _horizon(spec)

    def label(row: int) -> str:
        index = int(np.searchsorted(begins, row, side="right")) - 1
        return f"{names[index]} row {row - begins[index]}"

    return Series(
        features=joined[:, :-1],
        columns=tuple(Feature(name, spec.units.get(name, "")) for name in spec.features),
        target=joined[:, -1],
        target_name=f"Δ{spec.target} over {horizon}"
        if spec.increment
        else spec.target + (f" after {horizon}" if spec.lead else ""),
        target_unit=spec.units.get(spec.target, ""),
        increment=spec.increment,
        zero=False,
        by_time=len(names) == 1,
        sequence=np.repeat(np.arange(len(names)), lengths).astype(np.int64),
        sequence_names=names,
        usable=np.ones(len(joined), dtype=bool),
        follows=np.concatenate(follows),
        rate_hz=spec.rate_hz,
        label=label,
        source=source,
    )


def _horizon(spec: CsvData) -> str:
    row = step(spec.rate_hz)
    return f"{spec.lead * float(row['value']):g} {row['unit']}"
