"""What can be known about a data section before any job runs, without reading its numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SPLITS
from attnpipe.data.layout import (
    GEOMAGNETIC_FEATURES,
    GEOMAGNETIC_HOURS,
    GEOMAGNETIC_SERIES,
    STEERING_FEATURES,
    STEERING_RATE_HZ,
    steering_columns,
)
from attnpipe.data.limits import (
    block_rows,
    refuse_single_unit,
    refuse_unfilled_unit,
    require_units,
    require_windows,
)
from attnpipe.data.split import TEST, TRAIN, by_sequence, chronological
from attnpipe.data.synthetic.cases import CASES
from attnpipe.io.header import csv_files, likely_rows, most_rows, read_header, require_columns
from attnpipe.io.wheel import cached_member, default_cache
from attnpipe.schema.data import (
    GeomagneticData,
    InductionData,
    Source,
    SteeringData,
    SyntheticData,
    Windows,
)

PINNED = {key: GeomagneticData.model_fields[key].default for key in ("sha256", "member")}
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
        Rows of all sequences, breaks and rows that do not count included; an estimate where
        files are large, None where they must be downloaded first.
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
    rows = _counted(files)
    if rows is None:
        return DataFacts(len(spec.features), sum(map(likely_rows, files)))
    if spec.sequence is not None:  # how it splits the rows is not known
        require_windows("train", max(rows), spec.probe_samples, spec)
        _require_blocks(max(rows), spec, spec.rate_hz)
    elif len(files) > 1:
        _require_sequences([file.stem for file in files], rows, spec, spec.rate_hz)
    else:
        labels = _require_series(rows[0], spec)
        if spec.unit_hours is not None:
            require_units(int((labels == TEST).sum()), spec.unit_hours, spec.rate_hz * 3600)
    return DataFacts(len(spec.features), sum(rows))


def _geomagnetic(spec: GeomagneticData) -> DataFacts:
    features, rows = len(GEOMAGNETIC_FEATURES), _hours(spec)
    if rows is not None:
        labels = _require_series(rows, spec, lost=1)  # the first hour has no rate yet
        require_units(int((labels == TEST).sum()), spec.unit_hours, 1.0)
    return DataFacts(features, rows)


def _hours(spec: GeomagneticData) -> int | None:
    """Return how many hours the file holds; None if it is not on this machine yet."""
    if spec.path is not None:
        path = Path(spec.path)
        if not path.is_file():
            raise UserError(f"there is no file '{path}'; correct data.path")
    elif {"sha256": spec.sha256.lower(), "member": spec.member} == PINNED:
        return GEOMAGNETIC_HOURS
    else:
        wheel = spec.package, spec.version, spec.sha256
        cached = cached_member(*wheel, spec.member, default_cache())
        if cached is None:
            return None
        path = cached
    from attnpipe.io.hdf5 import length_of_series  # its library is imported for this alone

    return length_of_series(path, GEOMAGNETIC_SERIES)


def _steering(spec: SteeringData) -> DataFacts:
    features = len(STEERING_FEATURES)
    if spec.path is None:
        names = [str(number) for number in range(spec.segments)]
        each = round(spec.segment_seconds * STEERING_RATE_HZ)
        _require_sequences(names, [each] * spec.segments, spec, STEERING_RATE_HZ)
        return DataFacts(features, spec.segments * each)
    files = _headers(spec.path, steering_columns())
    names, rows = [file.stem for file in files], _counted(files)
    if rows is None:
        by_sequence(names, spec.validation_fraction, spec.test_fraction)
        return DataFacts(features, sum(map(likely_rows, files)))
    _require_sequences(names, rows, spec, STEERING_RATE_HZ)
    return DataFacts(features, sum(rows))


def _counted(files: Sequence[Path]) -> list[int] | None:
    """Return at most how many rows each file has; None if there is too much to count."""
    if sum(file.stat().st_size for file in files) > COUNTED_BYTES:
        return None
    return [most_rows(file) for file in files]


def _require_series(rows: int, spec: Windows, lost: int = 0) -> Int64[np.ndarray, " row"]:
    """Check the splits of one series, had it no break; return the split of each row.

    Parameters
    ----------
    rows
        Its length.
    spec
        Window, lead, strides, splits and probe size.
    lost
        Rows at its beginning that no window may hold.
    """
    gap = spec.window + spec.lead
    labels = chronological(rows, spec.validation_fraction, spec.test_fraction, gap)
    for code, split in enumerate(SPLITS):
        _require(split, [int((labels == code).sum()) - lost * (code == TRAIN)], spec)
    return labels


def _require_sequences(
    names: Sequence[str], rows: Sequence[int], spec: Windows, rate_hz: float
) -> None:
    """Check the splits of named sequences of at most so many rows each, had they no break."""
    labels = by_sequence(names, spec.validation_fraction, spec.test_fraction)
    for code, split in enumerate(SPLITS):
        _require(split, [rows[i] for i in np.flatnonzero(labels == code).tolist()], spec)
    _require_blocks(max(rows[i] for i in np.flatnonzero(labels == TEST).tolist()), spec, rate_hz)


def _require_blocks(longest: int, spec: Windows, rate_hz: float) -> None:
    """Check that the longest test sequence, had it no break, fills half a unit."""
    if spec.unit_hours is None:
        return
    covered = _windows(longest, spec, spec.evaluation_stride) * spec.evaluation_stride
    rows = block_rows(spec.unit_hours, rate_hz)
    if 2 * min(covered, rows) < rows:
        refuse_unfilled_unit(covered, rows, by_time=False)


def _require(split: str, rows: Sequence[int], spec: Windows) -> None:
    """Check a split with runs of so many rows."""
    stride = spec.stride if split == "train" else spec.evaluation_stride
    require_windows(split, max(rows), sum(_windows(n, spec, stride) for n in rows), spec)


def _windows(rows: int, spec: Windows, stride: int) -> int:
    """Return how many windows a run of so many rows has."""
    return math.ceil(max(0, rows - spec.window - spec.lead + 1) / stride)


def _headers(path: str, columns: list[str] | tuple[str, ...]) -> list[Path]:
    files = csv_files(Path(path))
    for file in files[:HEADERS]:
        require_columns(file, read_header(file), columns)
    return files
