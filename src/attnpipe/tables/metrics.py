"""The table of a run's metrics."""

from attnpipe.tables.base import FLAG, INT, TEXT, Column, Table
from attnpipe.tables.columns import METRIC, RUN, WHERE

METRICS = Table("metrics", "all metrics of one run", {**RUN, **WHERE, **METRIC})

INVENTORY = Table("inventory", "each run and what there is of it", {
    **RUN,
    "outcome": Column(TEXT, "`ok`, `diverged`, `failed` or `refused`"),
    "reason": Column(TEXT, "why it is not ok"),
    "parameters": Column(INT, "trainable parameters; null for saved weights"),
    "checkpoints": Column(INT, "checkpoints with attention weights"),
    "last_epoch": Column(INT, "newest epoch among them"),
    "test_weights": Column(FLAG, "whether final (best or test) weights are present"),
    "final": Column(TEXT, "checkpoint that counts as final"),
    "items": Column(INT, "probe samples"),
    "rows_valid": Column(INT, "valid attention rows at the final checkpoint"),
    "rows_excluded": Column(INT, "invalid attention rows at the final checkpoint"),
    "identical_to": Column(TEXT, "an earlier run whose final weights are the same bytes: it is no second piece of evidence"),
})  # fmt: skip
