"""Windows over prepared series: the one form in which tasks see data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32, Int64

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SequenceDataset:
    """Series with the windows cut from them; shared by all runs of a study.

    A window is named by its last row: it holds rows ``end - window + 1 … end``, all of
    one sequence. The expanded windows are never stored.

    Attributes
    ----------
    features
        ``[row, feature]``, scaled by mean and sd of the training rows.
    target
        ``[row]``, in natural units: what the window *ending* at the row shall forecast;
        NaN where there is none.
    trivial
        Predictor name → forecasts ``[row]`` in natural units, from no model at all.
    target_mean, target_scale
        Mean and sd of the target over the training windows.
    window
        Rows per window.
    splits
        ``train``, ``validation``, ``test`` → last rows ``[window]``, ascending.
    probe, halves
        Last rows of the probe windows, a subset of validation, and 0/1 for half A/B.
    units, unit_names
        Test window → index of its statistical unit, and the units' names.
    sequences, sequence_names
        Test window → index of its sequence, and the sequences' names.
    description
        What a reader must know: source, version, checksum, columns and units, rate,
        split ranges, counts. JSON-serialisable, no absolute paths.
    """

    kind: ClassVar[str] = "windows"

    features: Float32[np.ndarray, "row feature"]
    target: Float32[np.ndarray, " row"]
    trivial: Mapping[str, Float32[np.ndarray, " row"]]
    target_mean: float
    target_scale: float
    window: int
    splits: Mapping[str, Int64[np.ndarray, " window"]]
    probe: Int64[np.ndarray, " sample"]
    halves: Int64[np.ndarray, " sample"]
    units: Int64[np.ndarray, " test_window"]
    unit_names: tuple[str, ...]
    sequences: Int64[np.ndarray, " test_window"]
    sequence_names: tuple[str, ...]
    description: Mapping[str, Any]

    @property
    def inputs(self) -> int:
        """Features per step."""
        return int(self.features.shape[1])

    def windows(
        self, ends: Int64[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n {self.window} feature"]:
        """Return the windows that end at the given rows."""
        return self.features[ends[:, None] + np.arange(1 - self.window, 1)[None, :]]
