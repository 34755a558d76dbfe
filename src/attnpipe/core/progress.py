"""A line now and then while texts are read: bars of parallel jobs would overwrite each other."""

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[str, int, int], None]
"""Takes in what is being done, how many of it are done, and of how many."""


def silent(doing: str, done: int, of: int) -> None:
    """Say nothing."""


class CountLine:
    """Prints what is done and the time left for it, at most every so many seconds."""

    def __init__(
        self,
        name: str,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        stream: Any = None,
    ) -> None:
        self._name, self._every, self._clock, self._stream = name, every, clock, stream
        self._doing = ""
        self._start = self._last = self._told = clock()

    def __call__(self, doing: str, done: int, of: int) -> None:
        """Take in that `done` of `of` are done; what is done next has a time of its own."""
        now = self._clock()
        if doing != self._doing:
            self._doing, self._start = doing, self._last
        self._last = now
        if now - self._told < self._every:
            return
        self._told = now
        left = (now - self._start) / done * (of - done)
        print(
            f"{self._name}: {doing}, {done} of {of}, about {left / 60:.0f} min left",
            file=self._stream or sys.stderr,
            flush=True,
        )
