"""Read many damaged inputs in a process of its own: `python -m tests.fuzz.run csv 100000`.

Two more arguments are the file that holds the number of the current input, and the first number.

A reader may take them or refuse them in one line; anything else ends the process with the
number of the input, which alone makes it again. Memory and time are limited from outside the
readers, so that none can run away.
"""

import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attnpipe.core.errors import UserError

os.environ |= dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS"), "1")  # as jobs have it

MEMORY = 1 << 30
"""Bytes that a process may take beyond those it has when all is imported."""
SECONDS = 20
"""After which an input counts as one that hangs its reader."""


def address_space() -> int:
    """Return how many bytes this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def hang(*_: object) -> None:
    raise TimeoutError(f"an input took more than {SECONDS} s")


def survive(
    attempt: Callable[[int], object], numbers: range, begun: Callable[[int], object]
) -> dict[str, float]:
    """Make attempts of these numbers; return how they went.

    `begun` is told every number beforehand: libraries may abort the process.
    """
    attempt(-1)  # imports what it needs
    limit = address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, hang)
    taken, slowest, begin = 0, 0.0, time.perf_counter()
    for number in numbers:
        begun(number)
        start = time.perf_counter()
        signal.alarm(SECONDS)
        try:
            attempt(number)
            taken += 1
        except UserError as refused:
            if "\n" in str(refused):
                raise SystemExit(f"input {number}: more than a line: {refused}") from refused
        except BaseException as error:
            print(f"input {number}: {type(error).__name__}: {error}")
            raise
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"inputs": len(numbers), "taken": taken, "seconds": time.perf_counter() - begin,
            "slowest": slowest, "peak_mb": peak}  # fmt: skip


def main(name: str, count: int) -> None:
    from tests.fuzz.studies import study_attempt
    from tests.fuzz.targets import FORMATS, UNSEALED, target

    with tempfile.TemporaryDirectory() as folder:
        if name in (*FORMATS, UNSEALED):
            chosen = target(name, Path(folder))

            def attempt(number: int) -> object:
                return chosen.attempt(Path(folder), number)
        else:
            attempt = study_attempt(name, Path(folder))
        with Path(sys.argv[3] if len(sys.argv) > 3 else "/dev/null").open("w") as log:
            found = survive(
                lambda number: _first(attempt) if number < 0 else attempt(number),
                range(int(sys.argv[4]) if len(sys.argv) > 4 else 0, count),
                lambda number: (log.seek(0), log.write(f"{number}\n"), log.flush()),
            )
    print(name, *(f"{key} {value:.6g}" for key, value in found.items()))


def _first(attempt: Callable[[int], object]) -> None:
    for number in range(20):
        try:
            attempt(number)
        except UserError:
            continue


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
