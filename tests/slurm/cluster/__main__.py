"""The cluster by hand, or around one command.

    python -m tests.slurm.cluster up
    python -m tests.slurm.cluster down
    python -m tests.slurm.cluster around SECONDS COMMAND …

`around` brings it up, runs the command for so long at most, ends all that the command has started,
and takes the cluster down, whatever happens; its exit code is the command's. A machine that
cannot have a cluster is no failure: it says why.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import Cluster
from .obstacle import ObstacleError
from .packages import install
from .session import run

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def around(cluster: Cluster, seconds: float, command: list[str]) -> int:
    """Run a command while the cluster is up; return its exit code."""
    try:
        with cluster.claimed():
            with timed("install"):
                install()
            try:
                with timed("bring-up"):
                    cluster.up()
                with timed("tests"):
                    return run(command, seconds)
            finally:
                with timed("tear-down"):
                    cluster.down()
    except ObstacleError as obstacle:
        print(f"NOT RUN: no test cluster on this machine: {obstacle}", file=sys.stderr)
        return 0


def up(cluster: Cluster) -> None:
    """Bring the cluster up, and leave it."""
    try:
        with cluster.claimed():
            install()
            cluster.up()
    except ObstacleError as obstacle:
        raise SystemExit(f"no test cluster on this machine: {obstacle}") from None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    started = time.monotonic()
    try:
        yield
    finally:
        print(f"test cluster: {what} took {time.monotonic() - started:.0f} s", flush=True)


def leave(number: int, frame: object) -> None:
    """Leave by `finally`, once: a second signal must not cut the tear-down short."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in ENDINGS:
        signal.signal(ending, leave)
    try:
        match sys.argv[1:]:
            case ["up"]:
                up(Cluster())
            case ["down"]:
                Cluster().down()
            case ["around", seconds, *command] if command:
                sys.exit(around(Cluster(), float(seconds), command))
            case _:
                raise SystemExit(__doc__)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{' '.join(error.cmd)} failed: {error.stderr}") from None
