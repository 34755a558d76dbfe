"""Raw series in natural units: what every source hands over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True)
class Feature:
    """A column that models see."""

    name: str
    unit: str


@dataclass(frozen=True)
class Series:
    """Rows of one or more sequences, in time order within each.

    Attributes
    ----------
    features
        ``[row, feature]`` in natural units, finite where `usable`.
    columns
        Name and unit of each feature.
    target
        ``[row]``: the quantity of which windows forecast the level or the increment.
    target_name, target_unit
        What a window forecasts, and its unit.
    increment
        Whether windows forecast the change over the lead instead of the level.
    zero
        Whether zero is a sensible forecast of a level.
    by_time
        Whether the one sequence is split by time; else whole sequences are.
    sequence, sequence_names
        Sequence of each row, and the sequences' names.
    usable
        Whether windows may hold the row.
    follows
        Whether the row follows the one before it in time, within its sequence.
    rate_hz
        Rows per second.
    label
        Row → how people call it: a date, or a sequence and a row.
    source
        Where it comes from: JSON-serialisable, no absolute paths.
    """

    features: Float64[np.ndarray, "row feature"]
    columns: tuple[Feature, ...]
    target: Float64[np.ndarray, " row"]
    target_name: str
    target_unit: str
    increment: bool
    zero: bool
    by_time: bool
    sequence: Int64[np.ndarray, " row"]
    sequence_names: tuple[str, ...]
    usable: Bool[np.ndarray, " row"]
    follows: Bool[np.ndarray, " row"]
    rate_hz: float
    label: Callable[[int], str]
    source: Mapping[str, Any]


def step(rate_hz: float) -> dict[str, float | str]:
    """Return the time of one row in a readable unit, e.g. ``{"value": 1, "unit": "h"}``."""
    seconds = 1.0 / rate_hz
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size and abs(seconds / size - round(seconds / size)) < 1e-9:
            return {"value": float(round(seconds / size)), "unit": unit}
    return {"value": round(seconds, 9), "unit": "s"}
