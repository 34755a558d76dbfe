"""A line now and then while a job works: bars of parallel jobs would overwrite each other.

And one for what a reader of its results must know.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Progress = Callable[[str, int, int], None]
"""Takes in what is being done, how many of it are done, and of how many."""


Say = Callable[[str], None]
"""Takes in what whoever runs a job should know of it."""


def silent(doing: str, done: int, of: int) -> None:
    """Say nothing."""


def unsaid(said: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Line:
    """Prints lines that begin with a name.

    Attributes
    ----------
    name
        Of the job.
    stream
        Where to; by default to standard error as it is then.
    """

    name: str
    stream: Any = None

    def __call__(self, said: str) -> None:
        """Print a line."""
        print(f"{self.name}: {said}", file=self.stream or sys.stderr, flush=True)


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
        self._print, self._every, self._clock = Line(name, stream), every, clock
        self._start = self._told = clock()

    def _due(self, now: float) -> bool:
        """Tell whether it is time for a line, and take it for printed if so."""
        due = now - self._told >= self._every
        if due:
            self._told = now
        return due


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
