"""Steering logs, one CSV file per segment: comma's public layout, or the simulator's files.

The layout is that of commaSteeringControl (github.com/commaai/comma-steering-control). Rows
count only while the controller steers (`latActive`) and the driver's hands do not
(`steeringPressed`).
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.data.assemble import assemble
from attnpipe.data.clock import continues, require_finite
from attnpipe.data.dataset import SequenceDataset
from attnpipe.data.layout import (
    STEERING_FEATURES,
    STEERING_FLAGS,
    STEERING_RATE_HZ,
    STEERING_TARGET,
    STEERING_TIME,
    steering_columns,
)
from attnpipe.data.series import Series
from attnpipe.data.simulator import simulate
from attnpipe.io.csv import Kind, read_columns, write_csv
from attnpipe.io.header import csv_files
from attnpipe.io.wheel import file_sha256
from attnpipe.schema.data import SteeringData

KINDS: dict[str, Kind] = {
    name: "flag" if name in STEERING_FLAGS else "number" for name in steering_columns()
}
VALUES = tuple(feature.name for feature in (*STEERING_FEATURES, STEERING_TARGET))


def prepare(spec: SteeringData, *, cache: Path) -> SequenceDataset:
    """Return windows over steering logs; the target is `steerFiltered`.

    Without `spec.path` the simulator writes its logs to a temporary folder, and they are
    read like any others.

    Raises
    ------
    UserError
        When a file lacks a column, has another rate than 10 Hz, NaN in a row that counts, or
        no row that counts. No file is left out silently.
    """
    if spec.path is not None:
        files = csv_files(Path(spec.path))
        listed = [{"name": file.name, "sha256": file_sha256(file)} for file in files]
        return assemble(read_logs(files, spec.lead, {"files": listed}), spec)
    with tempfile.TemporaryDirectory(prefix="attnpipe-steering-") as folder:
        files = write_logs(spec, Path(folder))
        digest = hashlib.sha256("".join(file_sha256(f) for f in files).encode()).hexdigest()
        source = {
            "simulator": "attnpipe",
            "segments": spec.segments,
            "segment_seconds": spec.segment_seconds,
            "simulator_seed": spec.simulator_seed,
            "sha256": digest,
        }
        return assemble(read_logs(files, spec.lead, source), spec)


def write_logs(spec: SteeringData, folder: Path) -> list[Path]:
    """Simulate the logs that `spec` asks for, write one CSV file each, return the files."""
    frames = simulate(spec.segments, spec.segment_seconds, spec.simulator_seed)
    files = []
    for name, frame in frames.items():
        files.append(folder / f"{name}.csv")
        write_csv(files[-1], frame)
    return files


def read_logs(files: Sequence[Path], lead: int, source: dict[str, Any]) -> Series:
    """Return the logs as one sequence per file."""
    logs = [_read(file) for file in files]
    lengths = [len(log["usable"]) for log in logs]
    values = np.concatenate([log["values"] for log in logs])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    names = tuple(file.stem for file in files)

    def label(row: int) -> str:
        index = int(np.searchsorted(begins, row, side="right")) - 1
        return f"{names[index]} row {row - begins[index]}"

    return Series(
        features=values[:, :-1],
        columns=STEERING_FEATURES,
        target=values[:, -1],
        target_name=STEERING_TARGET.name + (f" after {lead / STEERING_RATE_HZ:g} s" * (lead > 0)),
        target_unit=STEERING_TARGET.unit,
        increment=False,
        zero=True,
        by_time=False,
        sequence=np.repeat(np.arange(len(files)), lengths).astype(np.int64),
        sequence_names=names,
        usable=np.concatenate([log["usable"] for log in logs]),
        follows=np.concatenate([log["follows"] for log in logs]),
        rate_hz=STEERING_RATE_HZ,
        label=label,
        source=source,
    )


def _read(file: Path) -> dict[str, np.ndarray]:
    frame = read_columns(file, KINDS)
    follows = continues(frame[STEERING_TIME].to_numpy(), STEERING_RATE_HZ, file.name)
    active, pressed = (frame[name].to_numpy().astype(bool) for name in STEERING_FLAGS)
    usable = active & ~pressed
    if not usable.any():
        raise UserError(
            f"'{file.name}' has no usable row (latActive and not steeringPressed) among its "
            f"{len(usable)}; remove the file or give a log in which the controller steers"
        )
    values = frame.select(VALUES).to_numpy()
    require_finite(values, VALUES, usable, file.name)
    return {"values": values, "usable": usable, "follows": follows}
