"""How far a training is, told now and then."""

from collections.abc import Mapping
from typing import Any

from attnpipe.core.progress import TimedLines


class ProgressLine(TimedLines):
    """Prints the last epoch, its loss and the time left.

    A training that goes on from a stored epoch says so at once.
    """

    def __init__(self, name: str, epochs: int, **options: Any) -> None:
        super().__init__(name, **options)
        self._epochs = epochs
        self._first_epoch: int | None = None

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Take in the history row of a finished epoch."""
        now, epoch = self._clock(), int(row["epoch"])
        if self._first_epoch is None:  # a resumed training starts late
            self._first_epoch = epoch - 1
            if epoch > 1:
                self._print(f"goes on after epoch {epoch - 1} of {self._epochs}")
        if self._due(now):
            left = (now - self._start) / (epoch - self._first_epoch) * (self._epochs - epoch)
            self._print(
                f"epoch {epoch} of {self._epochs}, validation loss {row['validation_loss']:.4g}, "
                f"about {left / 60:.0f} min left"
            )
