"""Means of all row metrics per head, over all samples and per sample."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attnpipe.metrics.reduce import divide, mean_of_known
from attnpipe.metrics.row_fold import RowFold, heads, real_rows
from attnpipe.metrics.row_metrics import row_metrics
from attnpipe.metrics.rows import Rows, to_numpy
from attnpipe.schema.analysis import MetricsSpec


@dataclass(frozen=True)
class Means:
    """One metric reduced row → sample → head.

    Attributes
    ----------
    mean, count
        Per head: mean of the per-sample means, NaN where no row has a value; rows behind it.
    item_mean, item_count
        The same per head and sample.
    """

    mean: Float[np.ndarray, " head"]
    count: Float[np.ndarray, " head"]
    item_mean: Float[np.ndarray, "head sample"]
    item_count: Float[np.ndarray, "head sample"]


class RowMeans(RowFold):
    """Sum and count of every row metric per head and sample.

    Rows where a metric is undefined do not count for it. ``rows`` counts all rows but
    padding, so that what was left out is known.
    """

    axes = ("head", "sample", "metric")
    sums: Mapping[str, int] = {"sum": 3, "count": 3, "rows": 2}

    def __init__(self, options: MetricsSpec) -> None:
        super().__init__(options)
        self.metrics = row_metrics(options)

    def add(self, rows: Rows) -> None:
        """Take in checked rows."""
        xp = rows.xp
        sums, counts = [], []
        for metric in self.metrics.values():
            value = metric(rows)
            known = rows.valid & ~xp.isnan(value)
            sums.append(xp.sum(xp.where(known, value, 0.0), axis=-1))
            counts.append(xp.sum(xp.astype(known, xp.float64), axis=-1))
        self.tally.add(
            (heads(rows), rows.samples, np.arange(len(self.metrics))),
            sum=to_numpy(xp.stack(sums, axis=-1)),
            count=to_numpy(xp.stack(counts, axis=-1)),
            rows=real_rows(rows).sum(axis=-1),
        )

    @property
    def samples(self) -> np.ndarray:
        """Probe samples seen, ascending."""
        return self.tally.labels("sample")

    @property
    def rows(self) -> Float[np.ndarray, "head sample"]:
        """Rows seen, valid or not, without padding."""
        return self.tally["rows"]

    def means(self, metric: str) -> Means:
        """Return the means of one metric by name."""
        index = list(self.metrics).index(metric)
        count = self.tally["count"][..., index]
        item_mean = divide(self.tally["sum"][..., index], count)
        return Means(mean_of_known(item_mean), count.sum(axis=-1), item_mean, count)
