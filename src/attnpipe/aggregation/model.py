"""Tables of runs → tables of a model."""

from collections.abc import Sequence

import polars as pl

from attnpipe.aggregation.inventory import counted, identical_runs, inventory
from attnpipe.aggregation.runs import ModelTables, RunTables
from attnpipe.aggregation.similarity import similarity
from attnpipe.aggregation.summary import metric_values, summarize
from attnpipe.aggregation.trajectory import trajectories
from attnpipe.tables.history import HISTORY


def aggregate_model(model: str, runs: Sequence[RunTables]) -> ModelTables:
    """Fold all runs of a model together.

    Every run is in the inventory, and its training in the history. Statistics rest on
    the runs that ended well, have attention, and are no copy of an earlier run.

    Parameters
    ----------
    model
        Name of the model.
    runs
        Its runs, one per seed, in the order of the config.
    """
    twins = identical_runs(runs)
    good = counted(runs, twins)
    values = metric_values(model, good)
    histories = [run.history for run in runs if run.history is not None]
    return ModelTables(
        inventory=inventory(model, runs, twins),
        metrics=summarize(values, good),
        metric_values=values,
        similarity=similarity(model, good),
        convergence=trajectories(values),
        history=HISTORY.conform(pl.concat(histories)) if histories else HISTORY.frame(),
    )
