"""What can be known about a data section before any job runs, without reading the data."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SPLITS
from attnpipe.data.layout import (
    GEOMAGNETIC_FEATURES,
    GEOMAGNETIC_HOURS,
    STEERING_FEATURES,
    STEERING_RATE_HZ,
    steering_columns,
)
from attnpipe.data.limits import refuse_single_unit, require_units, require_windows
from attnpipe.data.split import TEST, TRAIN, by_sequence, chronological
from attnpipe.data.synthetic.cases import CASES
from attnpipe.io.header import csv_files, most_rows, read_header, require_columns
from attnpipe.schema.data import (
    CsvData,
    GeomagneticData,
    InductionData,
    Source,
    SteeringData,
    SyntheticData,
    Windows,
)

PINNED = GeomagneticData.model_fields["sha256"].default
HEADERS = 200
"""So many files' headers are looked at; the rest is checked when the data are prepared."""
COUNTED_BYTES = 256 * 2**20
"""Files up to so many bytes together are counted through: under a second."""


@dataclass(frozen=True)
class DataFacts:
    """Facts of a dataset that is not prepared yet.

    Attributes
    ----------
    features
        Inputs per row.
    rows
        Rows of all sequences; None if that is not known without reading them.
    """

    features: int
    rows: int | None


def feasibility(spec: Source) -> DataFacts:
    """Return the facts, or refuse what cannot work; costs no download and little reading.

    Raises
    ------
    UserError
        When a path is missing, a column is not in a file's header, or windows, splits and
        probe cannot fit data whose length is known.
    """
    if isinstance(spec, GeomagneticData):
        return _geomagnetic(spec)
    if isinstance(spec, SteeringData):
        return _steering(spec)
    if isinstance(spec, InductionData):
        windows = spec.train_windows + spec.validation_windows + spec.test_windows
        return DataFacts(spec.vocabulary, windows)
    if isinstance(spec, SyntheticData):
        windows = spec.train_windows + spec.validation_windows + spec.test_windows
        return DataFacts(CASES[spec.case].features, windows * spec.window)
    columns = [*spec.features, spec.target]
    columns += [name for name in (spec.time, spec.sequence) if name is not None]
    files = _headers(spec.path, columns)
    if len(files) == 1 and spec.sequence is None and spec.unit_hours is None:
        refuse_single_unit()
    if sum(file.stat().st_size for file in files) <= COUNTED_BYTES:
        _require_rows(spec, [most_rows(file) for file in files])
    return DataFacts(len(spec.features), None)


def _require_rows(spec: CsvData, rows: list[int]) -> None:
    """Check files that hold at most so many rows, had they no break."""
    if len(rows) > 1 or spec.sequence is not None:
        require_windows("train", max(rows), spec.probe_samples, spec)
        return
    gap = spec.window + spec.lead
    labels = chronological(rows[0], spec.validation_fraction, spec.test_fraction, gap)
    for code, split in enumerate(SPLITS):
        _require(split, int((labels == code).sum()), 1, spec)
    if spec.unit_hours is not None:
        require_units(int((labels == TEST).sum()), spec.unit_hours, spec.rate_hz * 3600)


def _geomagnetic(spec: GeomagneticData) -> DataFacts:
    features = len(GEOMAGNETIC_FEATURES)
    if spec.path is not None:
        if not Path(spec.path).is_file():
            raise UserError(f"there is no file '{spec.path}'; correct data.path")
        return DataFacts(features, None)
    if spec.sha256.lower() != PINNED:
        return DataFacts(features, None)
    gap = spec.window + spec.lead
    rows = GEOMAGNETIC_HOURS
    labels = chronological(rows, spec.validation_fraction, spec.test_fraction, gap)
    for code, split in enumerate(SPLITS):
        _require(split, int((labels == code).sum()) - (code == TRAIN), 1, spec)
    require_units(int((labels == TEST).sum()), spec.unit_hours, 1.0)
    return DataFacts(features, rows)


def _steering(spec: SteeringData) -> DataFacts:
    features = len(STEERING_FEATURES)
    if spec.path is not None:
        files = _headers(spec.path, steering_columns())
        by_sequence([file.stem for file in files], spec.validation_fraction, spec.test_fraction)
        return DataFacts(features, None)
    rows = round(spec.segment_seconds * STEERING_RATE_HZ)
    names = [str(number) for number in range(spec.segments)]
    labels = by_sequence(names, spec.validation_fraction, spec.test_fraction)
    for code, split in enumerate(SPLITS):
        _require(split, rows, int(np.sum(labels == code)), spec)
    return DataFacts(features, spec.segments * rows)


def _require(split: str, rows: int, sequences: int, spec: Windows) -> None:
    """Check a split of some sequences of `rows` rows each, had they no break."""
    stride = spec.stride if split == "train" else spec.evaluation_stride
    each = math.ceil(max(0, rows - spec.window - spec.lead + 1) / stride)
    require_windows(split, rows, sequences * each, spec)


def _headers(path: str, columns: list[str] | tuple[str, ...]) -> list[Path]:
    files = csv_files(Path(path))
    for file in files[:HEADERS]:
        require_columns(file, read_header(file), columns)
    return files
