"""The table of a run's metrics."""

from attnpipe.tables.base import Table
from attnpipe.tables.columns import METRIC, RUN, WHERE

METRICS = Table("metrics", "all metrics of one run", {**RUN, **WHERE, **METRIC})
