"""From what engines add up to the folds that would have seen the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Sums
from attnpipe.attention.kernel.table import Table
from attnpipe.metrics.row_means import RowMeans
from attnpipe.metrics.rows import REASONS
from attnpipe.metrics.tokens.incoming import Incoming
from attnpipe.metrics.tokens.lags import LagProfile
from attnpipe.metrics.tokens.peaks import SamplePeaks
from attnpipe.metrics.tokens.validity import SampleValidity

_PADDING, _NOT_FINITE = (1 + REASONS.index(reason) for reason in ("padding", "not_finite"))


@dataclass(frozen=True)
class Reduced:
    """One sample's share of every fold; the axes are those of the folds without the sample."""

    metrics: dict[str, Float[np.ndarray, "head metric"]]
    valid: Bool[np.ndarray, "head query"]
    rows: Float[np.ndarray, " head"]
    mass: Float[np.ndarray, "head key"]
    exposure: Float[np.ndarray, "head key"]
    by_step: Float[np.ndarray, "head step"]
    exposure_by_step: Float[np.ndarray, "head step"]
    entropy: Float[np.ndarray, " head"]
    log_n: Float[np.ndarray, " head"]
    several: Float[np.ndarray, " head"]
    peaks: tuple[Int[np.ndarray, " _"], ...]


def reduce(
    table: Table,
    seen: Seen,
    heads: Sequence[Sums],
    valid: Bool[np.ndarray, "head query"] | None = None,
) -> Reduced:
    """Reduce what an engine found in the heads of one sample to sums over rows.

    Rows that are not `valid` are NaN in the table; None: those that are NaN.
    """
    valid = ~np.isnan(table["entropy"]) if valid is None else valid
    means = [_sum_and_count(value) for value in table.metrics()]
    total, count = (np.stack(each, axis=-1) for each in zip(*means, strict=True))
    same = bool(np.all(valid == valid[0]))
    flat = [seen.uniform(valid[0])] * len(heads) if same else [seen.uniform(row) for row in valid]
    several = valid & (seen.n > 1)
    tolerance = table.layout.options.peak_tolerance
    resolved = several & (table["largest"] - table["second"] > tolerance)
    lags = np.where(resolved, table.peak_lag, 0.0).astype(np.int64)
    return Reduced(
        metrics={"sum": total, "count": count},
        valid=valid,
        rows=np.full(len(heads), np.sum(seen.counted), np.float64),
        mass=np.stack([sums.mass for sums in heads]),
        exposure=np.stack([each.mass for each in flat]),
        by_step=np.stack([sums.by_step for sums in heads]),
        exposure_by_step=np.stack([each.by_step for each in flat]),
        entropy=_sum_and_count(table["entropy"])[0],
        log_n=np.sum(valid * np.log(np.maximum(seen.n, 1.0)), axis=1),
        several=several.sum(axis=1).astype(np.float64),
        peaks=tuple(own[chosen] for own, chosen in zip(lags, resolved, strict=True)),
    )


def joined(parts: Sequence[Reduced]) -> Reduced:
    """Return several groups of heads of one sample as one."""
    if len(parts) == 1:
        return parts[0]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Reduced.__dataclass_fields__
        if name not in ("metrics", "peaks")
    }
    return Reduced(
        metrics={
            name: np.concatenate([part.metrics[name] for part in parts])
            for name in ("sum", "count")
        },
        peaks=tuple(own for part in parts for own in part.peaks),
        **arrays,
    )


def reasons(seen: Seen, valid: Bool[np.ndarray, "head query"]) -> Float[np.ndarray, "head reason"]:
    """Return how many rows of a sample are valid, then how many are not, by reason."""
    found = np.zeros((len(valid), len(REASONS) + 1))
    found[:, 0] = valid.sum(axis=1)
    found[:, _PADDING] = np.sum(~seen.counted)
    found[:, _NOT_FINITE] = np.sum(seen.counted & ~valid, axis=1)
    return found


@runtime_checkable
class Folds(Protocol):
    """Folds that see all keys of rows, or the same without some of them."""

    means: RowMeans
    incoming: Incoming
    lags: LagProfile
    peaks: SamplePeaks


def record(
    folds: Folds,
    samples: Int[np.ndarray, " sample"],
    seen: Seen,
    found: Sequence[Reduced],
) -> None:
    """Add samples to the folds of a layer.

    Parameters
    ----------
    folds
        The folds.
    samples
        Index of each sample in the probe set.
    seen
        Of any of them: positions are the same.
    found
        One per sample.
    """
    heads = np.arange(len(found[0].mass))

    metrics = {k: np.stack([one.metrics[k] for one in found], axis=1) for k in ("sum", "count")}
    valid = np.stack([one.valid.sum(axis=1).astype(np.float64) for one in found], axis=1)
    folds.means.tally.add(
        (heads, samples, np.arange(len(folds.means.metrics))), **metrics, rows=_stack(found, "rows")
    )
    folds.incoming.tally.add(
        (heads, samples, seen.key_positions),
        mass=_stack(found, "mass"),
        exposure=_stack(found, "exposure"),
        rows=valid,
    )
    steps = np.arange(found[0].by_step.shape[1]) - (len(seen.query_positions) - 1)
    lags = seen.query_positions[0] - seen.key_positions[0] - steps
    by_lag, expected = _stack(found, "by_step"), _stack(found, "exposure_by_step")
    used = np.flatnonzero(np.any(expected > 0, axis=(0, 1)))[::-1]  # lags ascend
    folds.lags.tally.add(
        (heads, samples, lags[used]),
        mass=by_lag[..., used],
        exposure=expected[..., used],
        rows=valid,
        entropy=_stack(found, "entropy"),
        log_n=_stack(found, "log_n"),
    )
    peaks = np.unique(np.concatenate([own for one in found for own in one.peaks]))
    counts = [
        [np.bincount(np.searchsorted(peaks, own), minlength=len(peaks)) for own in one.peaks]
        for one in found
    ]
    folds.peaks.tally.add(
        (heads, samples, peaks),
        count=np.stack(counts, axis=1).astype(np.float64),
        rows=_stack(found, "several"),
    )


def _stack(found: Sequence[Reduced], name: str) -> np.ndarray:
    """Return an attribute of samples, ``[head, sample, …]``."""
    return np.stack([np.asarray(getattr(one, name)) for one in found], axis=1)


def record_validity(
    fold: SampleValidity,
    samples: Int[np.ndarray, " sample"],
    seen: Sequence[Seen],
    found: Sequence[Reduced],
) -> None:
    """Count the rows of samples."""
    count = [reasons(own, one.valid) for own, one in zip(seen, found, strict=True)]
    labels = (np.arange(len(count[0])), samples, np.arange(count[0].shape[1]))
    fold.tally.add(labels, count=np.stack(count, axis=1))


def _sum_and_count(
    value: Float[np.ndarray, "head query"],
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Return sum and number of what is not NaN."""
    known = ~np.isnan(value)
    return np.where(known, value, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64)
