"""From what engines add up to the folds that would have seen the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.seen import Seen
from attnpipe.attention.kernel.sums import Totals
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
    """What the tables of some heads of one sample come to."""

    metrics: dict[str, Float[np.ndarray, "head metric"]]
    valid: Bool[np.ndarray, "head query"]
    rows: Float[np.ndarray, " head"]
    entropy: Float[np.ndarray, " head"]
    log_n: Float[np.ndarray, " head"]
    several: Float[np.ndarray, " head"]
    peaks: tuple[Int[np.ndarray, " _"], ...]


@dataclass(frozen=True)
class Found:
    """One sample's share of every fold; the axes are those of the folds without the sample.

    Attributes
    ----------
    reduced
        What the tables of all heads come to.
    totals
        What was added up over rows.
    exposure, exposure_by_step
        The same of uniform attention; the head axis is 1 where all heads have the same rows.
    """

    reduced: Reduced
    totals: Totals
    exposure: Float[np.ndarray, "_ key"]
    exposure_by_step: Float[np.ndarray, "_ step"]

    @classmethod
    def of(cls, parts: Sequence[Reduced], totals: Totals, seen: Seen) -> "Found":
        """Return it from groups of heads."""
        reduced = joined(parts)
        valid = reduced.valid
        alike = bool(np.all(valid == valid[0]))
        flat = [seen.uniform(own) for own in (valid[:1] if alike else valid)]
        exposure = np.stack([each.mass for each in flat])
        return cls(reduced, totals, exposure, np.stack([each.by_step for each in flat]))


def reduce(
    table: Table, seen: Seen, valid: Bool[np.ndarray, "head query"] | None = None
) -> Reduced:
    """Reduce what an engine found in heads of one sample to sums over rows.

    Rows that are not `valid` are NaN in the table; None: those that are NaN.
    """
    valid = ~np.isnan(table["entropy"]) if valid is None else valid
    means = [_sum_and_count(value) for value in table.metrics()]
    total, count = (np.stack(each, axis=-1) for each in zip(*means, strict=True))
    several = valid & (seen.n > 1)
    tolerance = table.layout.options.peak_tolerance
    resolved = several & (table["largest"] - table["second"] > tolerance)
    lags = np.where(resolved, table.peak_lag, 0.0).astype(np.int64)
    return Reduced(
        metrics={"sum": total, "count": count},
        valid=valid,
        rows=np.full(len(valid), np.sum(seen.counted), np.float64),
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
    found: Sequence[Found],
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
    reduced = [one.reduced for one in found]
    heads = np.arange(len(reduced[0].valid))

    metrics = {k: stacked([one.metrics[k] for one in reduced]) for k in ("sum", "count")}
    valid = stacked([one.valid.sum(axis=1).astype(np.float64) for one in reduced])
    folds.means.tally.add(
        (heads, samples, np.arange(len(folds.means.metrics))),
        **metrics,
        rows=stacked([one.rows for one in reduced]),
    )
    folds.incoming.tally.add(
        (heads, samples, seen.key_positions),
        mass=stacked([one.totals.mass for one in found]),
        exposure=stacked([one.exposure for one in found]),
        rows=valid,
    )
    by_step = stacked([one.totals.by_step for one in found])
    expected = stacked([one.exposure_by_step for one in found])
    steps = np.arange(by_step.shape[-1]) - (len(seen.query_positions) - 1)
    lags = seen.query_positions[0] - seen.key_positions[0] - steps
    used = np.flatnonzero(np.any(expected > 0, axis=(0, 1)))[::-1]  # lags ascend
    folds.lags.tally.add(
        (heads, samples, lags[used]),
        mass=by_step[..., used],
        exposure=expected[..., used],
        rows=valid,
        entropy=stacked([one.entropy for one in reduced]),
        log_n=stacked([one.log_n for one in reduced]),
    )
    labels, counts = _counts([one.peaks for one in reduced])
    folds.peaks.tally.add(
        (heads, samples, labels),
        count=counts,
        rows=stacked([one.several for one in reduced]),
    )


def stacked(each: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays of samples ``[head, …]`` as one, ``[head, sample, …]``.

    The head axis is 1 where it is in all of them. That of one sample alone is no copy.
    """
    if len(each) == 1:
        return each[0][:, None]
    heads = max(len(one) for one in each)
    return np.stack([np.broadcast_to(one, (heads, *one.shape[1:])) for one in each], axis=1)


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


def _counts(
    peaks: Sequence[Sequence[Int[np.ndarray, " _"]]],
) -> tuple[Int[np.ndarray, " lag"], Float[np.ndarray, "head sample lag"]]:
    """Return all lags that occur, and how often they do, from those of samples and heads."""
    several = [own for each in peaks for own in each if len(own)]
    low = min((int(own.min()) for own in several), default=0)
    size = max((int(own.max()) for own in several), default=-1) - low + 1
    counts = np.array([[np.bincount(own - low, minlength=size) for own in one] for one in peaks])
    used = np.flatnonzero(counts.any(axis=(0, 1)))
    return used + low, counts[..., used].swapaxes(0, 1).astype(np.float64)


def _sum_and_count(
    value: Float[np.ndarray, "head query"],
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Return sum and number of what is not NaN."""
    known = ~np.isnan(value)
    count = [np.count_nonzero(row) for row in known]  # many times faster than along an axis
    return np.sum(value, axis=1, where=known), np.array(count, np.float64)
