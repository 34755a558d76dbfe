"""The one run of a pretrained model → table `inventory`."""

import polars as pl

from attnpipe.aggregation.inventory import PADDING
from attnpipe.aggregation.text.items import checkpoints_of
from attnpipe.aggregation.text.names import PRETRAINED
from attnpipe.aggregation.text.run import TextRun
from attnpipe.core.outcome import Outcome
from attnpipe.tables.study import INVENTORY


def inventory(model: str, run: TextRun | None, texts: int, outcome: Outcome) -> pl.DataFrame:
    """Return one row: how the run ended and what there is of it.

    Parameters
    ----------
    model
        Name of the model.
    run
        Its run; None if there is none.
    texts
        Number of its texts.
    outcome
        How it ended.
    """
    row: dict[str, object] = {
        "model": model,
        "seed": 0,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "parameters": outcome.parameters,
        "checkpoints": 0,
        "test_weights": False,
        "has_seeds": False,
    }
    if run is not None:
        names = checkpoints_of(run.metrics)
        row |= {
            "checkpoints": len(names),
            "test_weights": PRETRAINED in names,
            "final": PRETRAINED if PRETRAINED in names else None,
            "items": texts,
            **_rows(run.metrics),
        }
    return INVENTORY.frame([row])


def _rows(metrics: pl.LazyFrame) -> dict[str, object]:
    """Return how many rows there are of all layers, heads and texts; None if none was counted."""
    counted = metrics.filter(pl.col("checkpoint") == PRETRAINED)
    fault = pl.col("condition").is_null() | (pl.col("condition") != PADDING)
    totals = counted.select(
        rows_valid=_total(pl.col("metric") == "rows_valid"),
        rows_excluded=_total((pl.col("metric") == "rows_excluded") & fault),
    ).collect()
    known = totals["rows_valid"][0] is not None
    excluded = totals["rows_excluded"][0]
    return {
        "rows_valid": totals["rows_valid"][0],
        "rows_excluded": (0 if excluded is None else excluded) if known else None,
    }


def _total(which: pl.Expr) -> pl.Expr:
    values = pl.col("value").filter(which)
    return pl.when(values.count() > 0).then(values.sum().round().cast(pl.Int64))
