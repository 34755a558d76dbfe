"""Series → dataset: windows, targets, trivial predictors, scaling, units, probe."""

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Float64, Int64

from attnpipe.core.errors import UserError
from attnpipe.data.dataset import SPLITS, SequenceDataset
from attnpipe.data.describe import describe
from attnpipe.data.limits import block_rows, refuse_single_unit, require_windows
from attnpipe.data.scaling import standardize
from attnpipe.data.series import Series
from attnpipe.data.split import UNUSED, by_sequence, chronological
from attnpipe.data.units import Units, group
from attnpipe.data.windows import every, find_runs, targets, window_ends
from attnpipe.schema.data import Windows

DATE = re.compile(r"^(\d{4}-\d\d-\d\d)T.*$")


def assemble(series: Series, spec: Windows) -> SequenceDataset:
    """Cut windows from series and prepare them for training and scoring.

    One series is split by time, with ``window + lead`` rows left out between the parts;
    several are split by sequence.

    Raises
    ------
    UserError
        When a split has no window, validation is too small for the probe set, a test unit
        cannot be filled, or the target does not vary.
    """
    labels = _labels(series, spec)
    follows = series.follows.copy()
    follows[1:] &= (labels[1:] == labels[:-1]) & (series.sequence[1:] == series.sequence[:-1])
    usable = series.usable & (labels != UNUSED)
    runs = find_runs(usable, follows)
    ends = window_ends(runs, spec.window, spec.lead)
    splits: dict[str, Int64[np.ndarray, " window"]] = {}
    for code, split in enumerate(SPLITS):
        stride = spec.stride if split == "train" else spec.evaluation_stride
        splits[split] = every(ends[labels[ends] == code], runs, spec.window, stride)
        here = labels == code
        longest = int((runs.stop - runs.start)[here].max(initial=0))
        require_windows(split, longest, len(splits[split]), spec)

    target = targets(series.target, runs, spec.lead, series.increment)
    mean, scale = _spread(target[splits["train"]], series.target_name)
    scaling = standardize(series.features, usable & (labels == 0))
    units = _units(series, spec, splits["test"])
    left_out = int((~units.keep).sum())
    splits["test"] = splits["test"][units.keep]
    present, sequence = np.unique(series.sequence[splits["test"]], return_inverse=True)
    probe = spread(splits["validation"], spec.probe_samples)
    unit_names = _unit_names(series, units, blocks=spec.unit_hours is not None)
    trivial = _trivial(series, spec, target, mean)
    facts = {
        "target": {
            "name": series.target_name,
            "unit": series.target_unit,
            "mean": mean,
            "scale": scale,
        },
        "trivial": sorted(trivial),
        "units": {
            "count": len(unit_names),
            "hours": spec.unit_hours,
            "test_windows_left_out": left_out,
        },
        "probe": {"windows": len(probe)},
    }
    return SequenceDataset(
        features=scaling.scaled,
        target=target.astype(np.float32),
        trivial=trivial,
        target_mean=mean,
        target_scale=scale,
        window=spec.window,
        splits=splits,
        probe=probe,
        halves=np.arange(len(probe), dtype=np.int64) % 2,
        units=units.unit,
        unit_names=unit_names,
        sequences=sequence.reshape(-1).astype(np.int64),
        sequence_names=tuple(series.sequence_names[i] for i in present),
        description=describe(series, spec, scaling, labels, usable, splits) | facts,
    )


def spread(ends: Int64[np.ndarray, " window"], count: int) -> Int64[np.ndarray, " count"]:
    """Return `count` of the windows, evenly spread from the first to the last."""
    chosen: np.ndarray = ends[np.round(np.linspace(0, len(ends) - 1, count)).astype(np.int64)]
    return chosen


def _labels(series: Series, spec: Windows) -> Int64[np.ndarray, " row"]:
    shares = spec.validation_fraction, spec.test_fraction
    if series.by_time:
        return chronological(len(series.target), *shares, gap=spec.window + spec.lead)
    of_sequence = by_sequence(series.sequence_names, *shares)
    labels: np.ndarray = of_sequence[series.sequence]
    return labels


def _spread(values: Float64[np.ndarray, " window"], name: str) -> tuple[float, float]:
    mean, scale = float(values.mean()), float(values.std())
    if not scale > 1e-12 * max(1.0, abs(mean)):
        raise UserError(
            f"the target '{name}' is {mean:g} in all {len(values)} training windows; choose a "
            "target that varies"
        )
    return mean, scale


def _trivial(
    series: Series, spec: Windows, target: Float64[np.ndarray, " row"], mean: float
) -> Mapping[str, Float32[np.ndarray, " row"]]:
    """Forecasts that need no model, where there is a target."""
    level = np.zeros_like(target) if series.increment else series.target
    forecasts = {"train_mean": np.full_like(target, mean)}
    if spec.lead > 0:
        forecasts["persistence"] = level
    if series.zero:
        forecasts["zero"] = np.zeros_like(target)
    known = ~np.isnan(target)
    return {n: np.where(known, f, np.nan).astype(np.float32) for n, f in forecasts.items()}


def _units(series: Series, spec: Windows, ends: Int64[np.ndarray, " window"]) -> Units:
    rows = None
    if spec.unit_hours is not None:
        rows = block_rows(spec.unit_hours, series.rate_hz)
    elif series.by_time:
        refuse_single_unit()
    stride = spec.evaluation_stride
    return group(ends, series.sequence[ends], rows, stride, by_time=series.by_time)


def _unit_names(series: Series, units: Units, *, blocks: bool) -> tuple[str, ...]:
    """Name blocks by their first row (or its day, if that tells them apart), or sequences."""
    first = units.first.tolist()
    if not blocks:
        return tuple(series.sequence_names[series.sequence[row]] for row in first)
    labels = [series.label(row) for row in first]
    days = [DATE.sub(r"\1", label) for label in labels]
    return tuple(days if len(set(days)) == len(days) else labels)
