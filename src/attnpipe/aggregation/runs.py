"""What aggregation takes of each run, and what it makes of a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from attnpipe.core.outcome import Outcome
from attnpipe.core.record import LayerRecord, Probe

EPOCH = r"^epoch_(\d+)$"
MIXED = "final"
"""Stands for "each run's own final checkpoint" where these differ between seeds."""


@dataclass(frozen=True)
class RunTables:
    """One run of a model.

    Attributes
    ----------
    seed
        Seed of the run.
    outcome
        How it ended.
    probe
        What its attention was captured on; None without attention.
    metrics
        `tables.METRICS`; None without attention.
    history
        `tables.HISTORY`; None for saved weights.
    final, untrained
        Records of the final and of the untrained checkpoint, one per layer; empty where
        there are none. Weights are float32 and may be memory-mapped.
    """

    seed: int
    outcome: Outcome
    probe: Probe | None = None
    metrics: pl.DataFrame | None = None
    history: pl.DataFrame | None = None
    final: Sequence[LayerRecord] = field(default=())
    untrained: Sequence[LayerRecord] = field(default=())


@dataclass(frozen=True)
class ModelTables:
    """Tables of one model, each with the columns of the study's table of that name."""

    inventory: pl.DataFrame
    metrics: pl.DataFrame
    metric_values: pl.DataFrame
    similarity: pl.DataFrame
    convergence: pl.DataFrame
    history: pl.DataFrame


def epoch_of(checkpoint: str) -> int | None:
    """Return the epoch of a checkpoint's name, 0 for ``untrained``; None for others."""
    if checkpoint == "untrained":
        return 0
    match = re.match(EPOCH, checkpoint)
    return int(match[1]) if match else None


def final_label(runs: Sequence[RunTables]) -> str | None:
    """Return the final checkpoint all runs agree on, `MIXED` if they do not, None for none."""
    finals = {run.probe.final for run in runs if run.probe is not None}
    if not finals:
        return None
    return finals.pop() if len(finals) == 1 else MIXED


def are_replicates(runs: Sequence[RunTables]) -> bool:
    """Whether runs differ by their seeds alone, so that statistics over seeds mean something."""
    return all(run.probe is None or run.probe.has_seeds for run in runs)
