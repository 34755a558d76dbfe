"""Each run and what there is of it; which runs count."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from attnpipe.aggregation.runs import RunTables, epoch_of
from attnpipe.core.record import LayerRecord
from attnpipe.stats.profiles import ROUNDING
from attnpipe.tables.metrics import METRICS
from attnpipe.tables.study import INVENTORY

TEST_WEIGHTS = ("best", "test")
PADDING = "padding"
ROWS = ("rows_valid", "rows_excluded")


def inventory(
    model: str, runs: Sequence[RunTables], twins: Mapping[int, int] | None = None
) -> pl.DataFrame:
    """Return one row per run, in the given order, as `tables.INVENTORY`.

    `twins` are `identical_runs`, where they are known already.
    """
    twins = identical_runs(runs) if twins is None else twins
    metrics = [run.metrics for run in runs if run.metrics is not None]
    measured = pl.concat(metrics, rechunk=False) if metrics else METRICS.frame()
    of_rows, checkpoints = _rows(measured), _checkpoints_of(measured)
    rows: list[dict[str, object]] = []
    for run in runs:
        twin = twins.get(run.seed)
        rows.append(
            {
                "model": model,
                "seed": run.seed,
                "outcome": run.outcome.outcome,
                "reason": run.outcome.reason,
                "parameters": run.outcome.parameters,
                "has_seeds": None if run.probe is None else run.probe.has_seeds,
                **_checkpoints(run, checkpoints.get(run.seed, [])),
                "best_epoch": run.outcome.best_epoch,
                "loss_regained": _regained(run),
                **_attention(run, checkpoints.get(run.seed, []), of_rows),
                "identical_to": None if twin is None else f"{model}/seed-{twin}",
            }
        )
    return INVENTORY.frame(rows)


def counted(runs: Sequence[RunTables], twins: Mapping[int, int] | None = None) -> list[RunTables]:
    """Return the runs that statistics rest on: ended well, with attention, no copy of another."""
    twins = identical_runs(runs) if twins is None else twins
    return [run for run in runs if run.seed not in twins and _has_attention(run)]


def identical_runs(runs: Sequence[RunTables]) -> dict[int, int]:
    """Return seed → seed of an earlier run whose final weights are the same bytes.

    Weights that are uniform on their support are left alone: all seeds of a model with
    uniform attention agree without being copies.
    """
    first: dict[str, int] = {}
    twins: dict[int, int] = {}
    for run in runs:
        if not _has_attention(run) or not run.final or all(map(_uniform, run.final)):
            continue
        digest = _digest(run.final)
        if digest in first:
            twins[run.seed] = first[digest]
        first.setdefault(digest, run.seed)
    return twins


def _has_attention(run: RunTables) -> bool:
    return run.outcome.outcome == "ok" and run.metrics is not None and run.probe is not None


def _checkpoints(run: RunTables, measured: Sequence[str]) -> dict[str, object]:
    """Return what was kept of a run: its own weights, or the attention that was saved of it."""
    names = run.outcome.checkpoints or measured
    epochs = [epoch for name in names if (epoch := epoch_of(name)) is not None]
    return {"checkpoints": len(names), "last_epoch": max(epochs, default=None)}


def _regained(run: RunTables) -> float | None:
    """Return the largest rise of the validation loss, as a share of all that it fell."""
    if run.history is None:
        return None
    order = np.argsort(run.history["epoch"].to_numpy(), kind="stable")
    losses = run.history["validation_loss"].to_numpy()[order]  # NaN where there is none
    losses = losses[np.isfinite(losses)]
    fall = losses[0] - losses.min() if len(losses) else 0.0
    if not fall > 0.0:
        return None
    return float((losses - np.minimum.accumulate(losses)).max() / fall)


def _checkpoints_of(metrics: pl.DataFrame) -> dict[int, list[str]]:
    """Return seed → checkpoints whose attention was measured."""
    found: dict[int, list[str]] = {}
    for seed, name in metrics.select("seed", "checkpoint").unique().iter_rows():
        found.setdefault(seed, []).append(name)
    return found


def _attention(
    run: RunTables, measured: Sequence[str], of_rows: Mapping[tuple[int, str, str], int]
) -> dict[str, object]:
    """Return what there is of a run's attention."""
    if run.metrics is None or run.probe is None:
        return {"test_weights": False}
    final = run.probe.final
    return {
        "test_weights": any(name in TEST_WEIGHTS for name in measured),
        "final": final if final in measured else None,
        "items": len(run.probe.halves),
        **{metric: of_rows.get((run.seed, final, metric)) for metric in ROWS},
    }


def _rows(metrics: pl.DataFrame) -> dict[tuple[int, str, str], int]:
    """Return (seed, checkpoint, metric) → number of rows over layers and heads, if counted.

    Of the excluded ones those that are no padding.
    """
    at_fault = pl.col("condition").is_null() | (pl.col("condition") != PADDING)
    chosen = pl.col("item").is_null() & pl.col("metric").is_in(ROWS)
    chosen &= at_fault | (pl.col("metric") != ROWS[1])
    totals = (
        metrics.filter(chosen).group_by("seed", "checkpoint", "metric").agg(pl.col("value").sum())
    )
    return {(seed, at, metric): round(total) for seed, at, metric, total in totals.iter_rows()}


def _digest(records: Sequence[LayerRecord]) -> str:
    """Return a hash of the weights of all layers with their shapes."""
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda r: r.layer):
        digest.update(repr((record.layer, record.weights.shape)).encode())
        digest.update(np.ascontiguousarray(record.weights).data)
    return digest.hexdigest()


def _uniform(record: LayerRecord) -> bool:
    """Whether every row is constant on its support, up to float32 rounding."""
    support = record.support[None]
    high = np.where(support, record.weights, -np.inf).max(axis=-1)
    low = np.where(support, record.weights, np.inf).min(axis=-1)
    # Not >, so that NaN rows are not uniform; an empty support gives −∞ − ∞ = −∞.
    return bool(np.all(high - low <= ROUNDING * np.abs(np.where(np.isfinite(high), high, 1.0))))
