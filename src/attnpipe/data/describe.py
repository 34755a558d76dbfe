"""What a reader of the results must know about the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from attnpipe.data.dataset import SPLITS
from attnpipe.data.scaling import Scaling
from attnpipe.data.series import Series, step
from attnpipe.schema.data import Windows


def describe(
    series: Series,
    spec: Windows,
    scaling: Scaling,
    labels: Int64[np.ndarray, " row"],
    usable: Bool[np.ndarray, " row"],
    splits: Mapping[str, Int64[np.ndarray, "..."]],
) -> dict[str, Any]:
    """Return source, columns, time step, windows and split, ready for JSON."""
    names = [column.name for column in series.columns]
    return {
        "name": spec.name,
        "source": dict(series.source),
        "features": [
            {"name": column.name, "unit": column.unit, "mean": float(m), "scale": float(s)}
            for column, m, s in zip(series.columns, scaling.mean, scaling.scale, strict=True)
        ],
        "constant_features": [n for n, c in zip(names, scaling.constant, strict=True) if c],
        "scaling": "mean and sd of the training rows",
        "step": step(series.rate_hz),
        "window": spec.window,
        "lead": spec.lead,
        "stride": spec.stride,
        "evaluation_stride": spec.evaluation_stride,
        "rows": len(series.target),
        "rows_not_usable": int((~series.usable).sum()),
        "split_by": "time" if series.by_time else "sequence",
        "gap_rows": spec.window + spec.lead if series.by_time else 0,
        "splits": {
            split: _split(series, usable & (labels == code), splits[split])
            for code, split in enumerate(SPLITS)
        },
    }


def _split(
    series: Series, rows: Bool[np.ndarray, " row"], ends: Int64[np.ndarray, " window"]
) -> dict[str, Any]:
    row = np.flatnonzero(rows)
    held, windowed = np.unique(series.sequence[row]), np.unique(series.sequence[ends])
    return {
        "rows": len(row),
        "windows": len(ends),
        "sequences": len(held),
        "sequences_without_window": len(np.setdiff1d(held, windowed)),
        "first": series.label(int(row[0])),
        "last": series.label(int(row[-1])),
    }
