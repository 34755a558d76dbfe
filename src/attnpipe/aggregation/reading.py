"""Files of runs → what aggregation takes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from attnpipe.aggregation.runs import RunTables
from attnpipe.io.many_tables import read_each
from attnpipe.io.outcome import read_outcome
from attnpipe.io.record import read_probe, read_records
from attnpipe.tables.history import HISTORY
from attnpipe.tables.metrics import METRICS


def read_runs(seeds: Sequence[int], files: Mapping[str, Sequence[Path]]) -> list[RunTables]:
    """Return the runs of one model, in the order of their seeds.

    Parameters
    ----------
    seeds
        Seeds of the runs.
    files
        Name → one path per seed, in the same order. ``outcome`` is needed; ``history`` is
        absent for saved weights; ``metrics``, ``probe`` and ``attention`` for models
        without attention.
    """
    nothing = [None] * len(seeds)
    histories = read_each(files["history"], HISTORY) if "history" in files else nothing
    metrics = read_each(files["metrics"], METRICS) if "metrics" in files else nothing
    return [
        _run(seed, {name: paths[index] for name, paths in files.items()}, *tables)
        for index, (seed, *tables) in enumerate(zip(seeds, histories, metrics, strict=True))
    ]


def _run(
    seed: int, files: Mapping[str, Path], history: pl.DataFrame | None, metrics: pl.DataFrame | None
) -> RunTables:
    outcome = read_outcome(files["outcome"])
    if metrics is None:
        return RunTables(seed, outcome, history=history)
    probe = read_probe(files["probe"])
    if outcome.outcome == "ok" and probe.failure:
        outcome = replace(outcome, outcome="failed", reason=probe.failure)
    if outcome.outcome != "ok":
        return RunTables(seed, outcome, probe=probe, history=history)
    records = list(read_records(files["attention"], only={probe.final, "untrained"}))
    return RunTables(
        seed=seed,
        outcome=outcome,
        probe=probe,
        metrics=metrics,
        history=history,
        final=[r for r in records if r.checkpoint == probe.final],
        untrained=[r for r in records if r.checkpoint == "untrained"],
    )
