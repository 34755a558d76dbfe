"""From what engines add up to the folds that would have seen the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from attnpipe.attention.kernel.streaming import StreamingBattery
from attnpipe.attention.kernel.sums import Sums, Uniform, uniform
from attnpipe.attention.kernel.table import Layout, Table
from attnpipe.metrics.rows import REASONS

_PADDING, _NOT_FINITE = (1 + REASONS.index(reason) for reason in ("padding", "not_finite"))


@dataclass(frozen=True)
class Seen:
    """The rows of one sample, as far as they do not depend on weights.

    Attributes
    ----------
    first, last
        Each row sees the keys ``first … last − 1``.
    counted
        Rows that are measured; the others are padding.
    query_positions, key_positions
        Absolute; those of keys are consecutive.
    """

    first: Int[np.ndarray, " query"]
    last: Int[np.ndarray, " query"]
    counted: Bool[np.ndarray, " query"]
    query_positions: Int[np.ndarray, " query"]
    key_positions: Int[np.ndarray, " key"]

    def uniform(self, valid: Bool[np.ndarray, " query"]) -> Uniform:
        """Return the sums of uniform rows over the valid ones."""
        return uniform(self.first, np.where(valid, self.last, self.first), len(self.key_positions))


@dataclass(frozen=True)
class Reduced:
    """One sample's share of every fold; the axes are those of the folds without the sample."""

    metrics: dict[str, Float[np.ndarray, "head metric"]]
    reasons: Float[np.ndarray, "head reason"]
    rows: Float[np.ndarray, " head"]
    mass: Float[np.ndarray, "head key"]
    exposure: Float[np.ndarray, "_ key"]
    by_step: Float[np.ndarray, "head step"]
    exposure_by_step: Float[np.ndarray, "_ step"]
    entropy: Float[np.ndarray, " head"]
    log_n: Float[np.ndarray, " head"]
    several: Float[np.ndarray, " head"]
    peaks: tuple[Int[np.ndarray, " _"], ...]


def reduce(layout: Layout, seen: Seen, heads: Sequence[Sums]) -> Reduced:
    """Reduce what an engine found in the heads of one sample to sums over rows."""
    n = np.where(seen.counted, seen.last - seen.first, 0).astype(np.float64)
    oldest = seen.query_positions - (seen.key_positions[0] + seen.first)
    values = np.stack([sums.table for sums in heads])
    table = Table(layout, values, seen.first, n, oldest.astype(np.float64))
    valid = ~np.isnan(table["entropy"])
    means = [_sum_and_count(value) for value in table.metrics()]
    total, count = (np.stack(each, axis=-1) for each in zip(*means, strict=True))
    same = bool(np.all(valid == valid[0]))
    flat = [seen.uniform(row) for row in (valid[:1] if same else valid)]
    reasons = np.zeros((len(heads), len(REASONS) + 1))
    reasons[:, 0] = valid.sum(axis=1)
    reasons[:, _PADDING] = np.sum(~seen.counted)
    reasons[:, _NOT_FINITE] = np.sum(seen.counted & ~valid, axis=1)
    several = valid & (n > 1)
    resolved = several & (table["largest"] - table["second"] > layout.options.peak_tolerance)
    lags = np.where(resolved, table.peak_lag, 0.0).astype(np.int64)
    return Reduced(
        metrics={"sum": total, "count": count},
        reasons=reasons,
        rows=np.full(len(heads), np.sum(seen.counted), np.float64),
        mass=np.stack([sums.mass for sums in heads]),
        exposure=np.stack([each.mass for each in flat]),
        by_step=np.stack([sums.by_step for sums in heads]),
        exposure_by_step=np.stack([each.by_step for each in flat]),
        entropy=_sum_and_count(table["entropy"])[0],
        log_n=np.sum(valid * np.log(np.maximum(n, 1.0)), axis=1),
        several=several.sum(axis=1).astype(np.float64),
        peaks=tuple(own[chosen] for own, chosen in zip(lags, resolved, strict=True)),
    )


def record(
    battery: StreamingBattery,
    samples: Int[np.ndarray, " sample"],
    seen: Seen,
    found: Sequence[Reduced],
) -> None:
    """Add samples to the folds of a layer.

    Parameters
    ----------
    battery
        The folds.
    samples
        Index of each sample in the probe set.
    seen
        Of any of them: positions are the same.
    found
        One per sample.
    """
    heads = np.arange(len(found[0].mass))

    def stack(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(one, name)) for one in found], axis=1)

    def exposure(name: str) -> np.ndarray:
        shape = (len(heads), getattr(found[0], name).shape[1])
        return np.stack([np.broadcast_to(getattr(one, name), shape) for one in found], axis=1)

    metrics = {k: np.stack([one.metrics[k] for one in found], axis=1) for k in ("sum", "count")}
    reasons = stack("reasons")
    valid = reasons[..., 0]
    battery.means.tally.add(
        (heads, samples, np.arange(len(battery.means.metrics))), **metrics, rows=stack("rows")
    )
    battery.validity.tally.add((heads, samples, np.arange(reasons.shape[-1])), count=reasons)
    battery.incoming.tally.add(
        (heads, samples, seen.key_positions),
        mass=stack("mass"),
        exposure=exposure("exposure"),
        rows=valid,
    )
    steps = np.arange(found[0].by_step.shape[1]) - (len(seen.query_positions) - 1)
    lags = seen.query_positions[0] - seen.key_positions[0] - steps
    by_lag, expected = stack("by_step"), exposure("exposure_by_step")
    used = np.flatnonzero(np.any(expected > 0, axis=(0, 1)))[::-1]  # lags ascend
    battery.lags.tally.add(
        (heads, samples, lags[used]),
        mass=by_lag[..., used],
        exposure=expected[..., used],
        rows=valid,
        entropy=stack("entropy"),
        log_n=stack("log_n"),
    )
    peaks = [np.concatenate([one.peaks[head] for one in found]) for head in heads]
    labels = np.unique(np.concatenate(peaks))
    counts = [np.bincount(np.searchsorted(labels, own), minlength=len(labels)) for own in peaks]
    battery.peaks.tally.add(
        (heads, labels),
        count=np.stack(counts).astype(np.float64),
        rows=np.sum([one.several for one in found], axis=0),
    )


def _sum_and_count(
    value: Float[np.ndarray, "head query"],
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Return sum and number of what is not NaN."""
    known = ~np.isnan(value)
    return np.where(known, value, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64)
