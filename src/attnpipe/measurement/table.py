"""The metrics table, filled group by group."""

from collections import defaultdict

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped

from attnpipe.tables.metrics import METRICS

Labels = Int[np.ndarray, " cell"]
Counts = Shaped[np.ndarray, "..."] | int


class MetricTable:
    """Rows of `METRICS` for one run.

    Kept as arrays until `frame`: building a frame per group costs more than measuring.
    """

    def __init__(self, model: str, seed: int) -> None:
        self._run = {"model": model, "seed": seed}
        self._where: dict[str, str | int] = {"checkpoint": "", "layer": 0}
        self._constants: defaultdict[str, list[str | int | None]] = defaultdict(list)
        self._cells: defaultdict[str, list[np.ndarray]] = defaultdict(list)

    def at(self, checkpoint: str, layer: int) -> None:
        """Say where the groups that follow belong."""
        self._where = {"checkpoint": checkpoint, "layer": layer}

    def add(
        self,
        metric: str,
        value: Float[np.ndarray, "..."],
        n_rows: Counts,
        n_excluded: Counts,
        *,
        target: Labels | None = None,
        item: Labels | None = None,
        condition: str | None = None,
    ) -> None:
        """Add one metric, ``[head]`` or ``[head, target or item]``.

        NaN becomes null. The counts broadcast against the values.
        """
        heads = np.arange(len(value))
        cells = value.size // max(1, len(heads))
        for name, labels in (("target", target), ("item", item)):
            self._cells[name].append(
                np.full(value.size, np.nan) if labels is None else np.tile(labels, len(heads))
            )
        for name, array in (("value", value), ("n_rows", n_rows), ("n_excluded", n_excluded)):
            self._cells[name].append(np.broadcast_to(array, value.shape).ravel())
        self._cells["head"].append(np.repeat(heads, cells))
        self._label(metric, condition)

    def add_layer(self, metric: str, value: float, n_rows: int) -> None:
        """Add a value that belongs to a layer and no one head; NaN becomes null."""
        for name in ("head", "target", "item"):
            self._cells[name].append(np.array([np.nan]))
        for name, number in (("value", value), ("n_rows", n_rows), ("n_excluded", 0)):
            self._cells[name].append(np.array([number]))
        self._label(metric, None)

    def _label(self, metric: str, condition: str | None) -> None:
        for name, constant in {**self._where, "condition": condition, "metric": metric}.items():
            self._constants[name].append(constant)

    def frame(self) -> pl.DataFrame:
        """Return all rows."""
        if not self._cells:
            return METRICS.frame()
        group = np.repeat(
            np.arange(len(self._cells["head"])), [len(c) for c in self._cells["head"]]
        )
        columns = {name: np.concatenate(arrays) for name, arrays in self._cells.items()}
        texts = {
            name: pl.Series(name, values, METRICS.schema[name]).gather(group)
            for name, values in self._constants.items()
        }
        run = [pl.lit(value).alias(name) for name, value in self._run.items()]
        numbers = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
        return METRICS.conform(numbers.with_columns(*run, *texts.values()))
