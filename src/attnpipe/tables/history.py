"""The table of a run's training."""

from attnpipe.tables.base import INT, REAL, Column, Table
from attnpipe.tables.columns import RUN

HISTORY = Table("history", "training, one row per epoch", {
    **RUN,
    "epoch": Column(INT, "epoch, 0 = untrained"),
    "windows_seen": Column(INT, "training windows seen so far"),
    "train_loss": Column(REAL, "mean training loss of the epoch, in units of the target's variance"),
    "validation_loss": Column(REAL, "validation loss after the epoch, same units"),
    "learning_rate": Column(REAL, "learning rate of the epoch"),
})  # fmt: skip
