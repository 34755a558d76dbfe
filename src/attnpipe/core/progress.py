"""A line now and then while a job works: bars of parallel jobs would overwrite each other."""

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[str, int, int], None]
"""Takes in what is being done, how many of it are done, and of how many."""


def silent(doing: str, done: int, of: int) -> None:
    """Say nothing."""


class TimedLines:
    """Prints lines that begin with a name, at most every so many seconds."""

    def __init__(
        self,
        name: str,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        stream: Any = None,
    ) -> None:
        self._name, self._every, self._clock, self._stream = name, every, clock, stream
        self._start = self._told = clock()

    def _due(self, now: float) -> bool:
        """Tell whether it is time for a line, and take it for printed if so."""
        due = now - self._told >= self._every
        if due:
            self._told = now
        return due

    def _print(self, said: str) -> None:
        print(f"{self._name}: {said}", file=self._stream or sys.stderr, flush=True)


class CountLine(TimedLines):
    """Prints what is done and the time left for it."""

    _doing = ""
    _last: float | None = None

    def __call__(self, doing: str, done: int, of: int) -> None:
        """Take in that `done` of `of` are done; what is done next has a time of its own."""
        now = self._clock()
        if doing != self._doing:
            self._doing = doing
            self._start = self._start if self._last is None else self._last
        self._last = now
        if self._due(now):
            left = (now - self._start) / done * (of - done)
            self._print(f"{doing}, {done} of {of}, about {left / 60:.0f} min left")
