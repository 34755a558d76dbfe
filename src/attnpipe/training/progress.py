"""A line now and then while a training runs: bars of parallel jobs would overwrite each other."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


class ProgressLine:
    """Prints the last epoch, its loss and the time left, at most every so many seconds.

    A training that goes on from a stored epoch says so at once.
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        stream: Any = None,
    ) -> None:
        self._name, self._epochs, self._every = name, epochs, every
        self._clock, self._stream = clock, stream
        self._start = self._last = clock()
        self._first_epoch: int | None = None

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Take in the history row of a finished epoch."""
        now, epoch = self._clock(), int(row["epoch"])
        if self._first_epoch is None:  # a resumed training starts late
            self._first_epoch = epoch - 1
            if epoch > 1:
                self._print(f"goes on after epoch {epoch - 1} of {self._epochs}")
        if now - self._last < self._every:
            return
        self._last = now
        done = epoch - self._first_epoch
        left = (now - self._start) / done * (self._epochs - epoch)
        self._print(
            f"epoch {epoch} of {self._epochs}, validation loss {row['validation_loss']:.4g}, "
            f"about {left / 60:.0f} min left"
        )

    def _print(self, said: str) -> None:
        print(f"{self._name}: {said}", file=self._stream or sys.stderr, flush=True)
